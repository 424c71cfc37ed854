#include "framework/config/argument_tables.h"

#include <nlohmann/json.hpp>

#include "plugins/attndreambooth/spec.h"

namespace atelier::attndreambooth {
namespace {

using Status = ArgumentSpec::Status;

/// What this program alone has, or has under another name.
std::vector<ArgumentSpec> own_arguments() {
  return {{"--object_token", Status::option, "placeholder_token"},
          {"--save_step", Status::framework, "the study's checkpoints"},
          {"--train_ti", Status::framework, "stage embedding"},
          {"--train_cross_attn", Status::framework, "stage attention"},
          {"--train_unet", Status::framework, "stage identity"},
          {"--embedding_path", Status::framework, "the artifact of stage embedding, always"},
          {"--load_from_checkpoint", Status::framework, "the artifact of stage attention, always: never the base UNet"},
          {"--only_save_checkpoint", Status::framework, "whole pipelines are written on export alone"},
          {"--prompt", Status::framework, "the prompts of `atelier sample` and of protocols"},
          {"--prompt_file", Status::framework, "the prompts of `atelier sample` and of protocols"},
          {"--learned_embedding_path", Status::framework, "`atelier sample --artifact`"},
          {"--checkpoint_path", Status::framework, "`atelier sample --artifact`"},
          {"--category_token", Status::framework, "the class word of the concept, behind the token"},
          {"--num_inference_steps", Status::framework, "`atelier sample --steps`"},
          {"--num_images_per_prompt", Status::framework, "`atelier sample --images`"},
          {"--infer_batch_size", Status::framework, "`atelier sample --batch`"},
          {"--infer_scheduler", Status::framework, "`atelier sample --scheduler`"},
          {"--save_dir", Status::framework, "`atelier sample --out`"},
          {"--device", Status::framework, "`--device`"},
          {"--skip_save_text_encoder", Status::without_effect, "the published program ignores it"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  return joined({
      same_named("", {"instance_prompt", "class_prompt", "with_prior_preservation", "prior_loss_weight", "resolution",
                      "center_crop", "gradient_checkpointing", "offset_noise", "n_object_embedding", "initialize_token",
                      "with_cross_attn_reg", "num_class_images", "flip_p"}),
      same_named("identity.",
                 {"train_batch_size", "max_train_steps", "gradient_accumulation_steps", "learning_rate", "scale_lr",
                  "lr_scheduler", "lr_warmup_steps", "lr_num_cycles", "lr_power", "adam_beta1", "adam_beta2",
                  "adam_weight_decay", "adam_epsilon", "max_grad_norm", "reg_mean_weight", "reg_var_weight"}),
      common_arguments({"pretrained_model_name_or_path",
                        "instance_data_dir",
                        "class_data_dir",
                        "prior_generation_precision",
                        "sample_batch_size",
                        "output_dir",
                        "seed",
                        "checkpointing_steps",
                        "checkpoints_total_limit",
                        "resume_from_checkpoint",
                        "logging_dir",
                        "report_to",
                        "allow_tf32",
                        "mixed_precision",
                        "validation_prompt",
                        "num_validation_images",
                        "validation_steps",
                        "validation_scheduler",
                        "local_rank",
                        "revision",
                        "tokenizer_name",
                        "num_train_epochs",
                        "use_8bit_adam",
                        "tokenizer_max_length",
                        "text_encoder_use_attention_mask",
                        "class_labels_conditioning",
                        "validation_images",
                        "push_to_hub",
                        "hub_token",
                        "hub_model_id",
                        "dataloader_num_workers",
                        "enable_xformers_memory_efficient_attention",
                        "set_grads_to_none"}),
      own_arguments(),
  });
}

}  // namespace atelier::attndreambooth
