#include "framework/config/argument_tables.h"

#include <nlohmann/json.hpp>

#include "plugins/textreg/spec.h"

namespace atelier::textreg {
namespace {

using Status = ArgumentSpec::Status;

/// What this program alone has, or has under another name.
std::vector<ArgumentSpec> own_arguments() {
  return {{"--learning_rate_ti", Status::option, "ti.learning_rate"},
          {"--cached_latents", Status::option, "cache_latents"},
          {"--prompts_file", Status::framework, "captions of the study's images of the class"},
          {"--class_tokens", Status::framework, "the class word of the study's concepts"},
          {"--save_steps", Status::framework, "the study's checkpoints"},
          {"--pretrained_vae_name_or_path", Status::refused, "the autoencoder is the base model's own"},
          {"--output_format", Status::refused, "checkpoints of the published form are safetensors files"},
          {"--center_crop", Status::refused, "pictures are always centre-cropped, as in the published command"},
          {"--log_evaluation", Status::refused,
           "its prompts never held the concept; the study's samples and protocols measure checkpoints"},
          {"--log_evaluation_step", Status::refused, "see --log_evaluation"},
          {"--local_files_only", Status::without_effect, "nothing is ever downloaded"},
          {"--resize", Status::without_effect, "pictures are always resized, in the published program too"},
          {"--color_jitter", Status::without_effect, "colours are always jittered, in the published program too"},
          {"--num_class_images", Status::without_effect, "the published program ignores it"},
          {"--sample_batch_size", Status::without_effect, "the published program ignores it"},
          {"--use_xformers", Status::without_effect, "the published program ignores it"},
          {"--stochastic_attribute", Status::without_effect, "the published program ignores it"},
          {"--push_to_hub", Status::without_effect, "the published program ignores it"},
          {"--hub_token", Status::without_effect, "the published program ignores it"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  return joined({
      same_named("", {"placeholder_token",
                      "learnable_property",
                      "init_placeholder_as_class",
                      "mask_identifier_causal_attention",
                      "mask_identifier_ratio",
                      "ti_train_step",
                      "resume_ti_embedding_path",
                      "just_ti",
                      "enable_text_reg",
                      "text_reg_alpha_weight",
                      "text_reg_beta_weight",
                      "filter_crossattn_str",
                      "lora_rank",
                      "train_text_encoder",
                      "max_train_steps",
                      "resolution",
                      "with_prior_preservation",
                      "prior_loss_weight",
                      "ti_reg_type",
                      "gradient_checkpointing"}),
      same_named("ut.", {"learning_rate", "learning_rate_text", "scale_lr", "lr_scheduler", "lr_warmup_steps",
                         "train_batch_size", "gradient_accumulation_steps", "adam_beta1", "adam_beta2",
                         "adam_weight_decay", "adam_epsilon", "max_grad_norm"}),
      common_arguments({"pretrained_model_name_or_path", "instance_data_dir", "class_data_dir", "output_dir",
                        "mixed_precision", "seed", "logging_dir", "revision", "tokenizer_name", "num_train_epochs",
                        "use_8bit_adam", "local_rank"}),
      own_arguments(),
  });
}

}  // namespace atelier::textreg
