#include <nlohmann/json.hpp>

#include "plugins/textreg/spec.h"

namespace atelier::textreg {
namespace {

using Status = ArgumentSpec::Status;

/// Text: the option's name.
std::vector<ArgumentSpec> options() {
  return {{"--placeholder_token", Status::option, "placeholder_token"},
          {"--learnable_property", Status::option, "learnable_property"},
          {"--init_placeholder_as_class", Status::option, "init_placeholder_as_class"},
          {"--mask_identifier_causal_attention", Status::option, "mask_identifier_causal_attention"},
          {"--mask_identifier_ratio", Status::option, "mask_identifier_ratio"},
          {"--ti_train_step", Status::option, "ti_train_step"},
          {"--learning_rate_ti", Status::option, "ti.learning_rate"},
          {"--resume_ti_embedding_path", Status::option, "resume_ti_embedding_path"},
          {"--just_ti", Status::option, "just_ti"},
          {"--enable_text_reg", Status::option, "enable_text_reg"},
          {"--text_reg_alpha_weight", Status::option, "text_reg_alpha_weight"},
          {"--text_reg_beta_weight", Status::option, "text_reg_beta_weight"},
          {"--filter_crossattn_str", Status::option, "filter_crossattn_str"},
          {"--lora_rank", Status::option, "lora_rank"},
          {"--learning_rate", Status::option, "ut.learning_rate"},
          {"--learning_rate_text", Status::option, "ut.learning_rate_text"},
          {"--train_text_encoder", Status::option, "train_text_encoder"},
          {"--scale_lr", Status::option, "ut.scale_lr"},
          {"--lr_scheduler", Status::option, "ut.lr_scheduler"},
          {"--lr_warmup_steps", Status::option, "ut.lr_warmup_steps"},
          {"--train_batch_size", Status::option, "ut.train_batch_size"},
          {"--gradient_accumulation_steps", Status::option, "ut.gradient_accumulation_steps"},
          {"--max_train_steps", Status::option, "max_train_steps"},
          {"--resolution", Status::option, "resolution"},
          {"--with_prior_preservation", Status::option, "with_prior_preservation"},
          {"--prior_loss_weight", Status::option, "prior_loss_weight"},
          {"--adam_beta1", Status::option, "ut.adam_beta1"},
          {"--adam_beta2", Status::option, "ut.adam_beta2"},
          {"--adam_weight_decay", Status::option, "ut.adam_weight_decay"},
          {"--adam_epsilon", Status::option, "ut.adam_epsilon"},
          {"--max_grad_norm", Status::option, "ut.max_grad_norm"},
          {"--cached_latents", Status::option, "cache_latents"},
          {"--ti_reg_type", Status::option, "ti_reg_type"}};
}

std::vector<ArgumentSpec> framework() {
  return {{"--pretrained_model_name_or_path", Status::framework, "the study's base model"},
          {"--instance_data_dir", Status::framework, "the photos of the study's concepts"},
          {"--class_data_dir", Status::framework, "the study's images of the class"},
          {"--prompts_file", Status::framework, "captions of the study's images of the class"},
          {"--class_tokens", Status::framework, "the class word of the study's concepts"},
          {"--save_steps", Status::framework, "the study's checkpoints"},
          {"--output_dir", Status::framework, "artifacts lie in the store; `atelier export` copies them out"},
          {"--mixed_precision", Status::framework, "the study's computing type; float16 training is refused there"},
          {"--seed", Status::framework, "the study's seeds"},
          {"--logging_dir", Status::framework, "losses are objects of the store"},
          {"--gradient_checkpointing", Status::option, "gradient_checkpointing"}};
}

std::vector<ArgumentSpec> refusals() {
  return {{"--pretrained_vae_name_or_path", Status::refused, "the autoencoder is the base model's own"},
          {"--revision", Status::refused, "name a base model on disk, whose digest enters every key"},
          {"--tokenizer_name", Status::refused, "the tokenizer is the base model's own"},
          {"--num_train_epochs", Status::refused, "say max_train_steps"},
          {"--output_format", Status::refused, "checkpoints of the published form are safetensors files"},
          {"--center_crop", Status::refused, "pictures are always centre-cropped, as in the published command"},
          {"--use_8bit_adam", Status::refused, "AdamW in float32 is the only optimizer"},
          {"--log_evaluation", Status::refused,
           "its prompts never held the concept; the study's samples and protocols measure checkpoints"},
          {"--log_evaluation_step", Status::refused, "see --log_evaluation"}};
}

std::vector<ArgumentSpec> without_effect() {
  return {{"--local_files_only", Status::without_effect, "nothing is ever downloaded"},
          {"--resize", Status::without_effect, "pictures are always resized, in the published program too"},
          {"--color_jitter", Status::without_effect, "colours are always jittered, in the published program too"},
          {"--num_class_images", Status::without_effect, "the published program ignores it"},
          {"--sample_batch_size", Status::without_effect, "the published program ignores it"},
          {"--local_rank", Status::without_effect, "one process trains one run"},
          {"--use_xformers", Status::without_effect, "the published program ignores it"},
          {"--stochastic_attribute", Status::without_effect, "the published program ignores it"},
          {"--push_to_hub", Status::without_effect, "the published program ignores it"},
          {"--hub_token", Status::without_effect, "the published program ignores it"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  std::vector<ArgumentSpec> all;
  for (const auto& part : {options(), framework(), refusals(), without_effect()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace atelier::textreg
