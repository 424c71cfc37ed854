#include <nlohmann/json.hpp>

#include "plugins/custom_diffusion/spec.h"

namespace atelier::custom_diffusion {
namespace {

using Status = ArgumentSpec::Status;

/// Text: the option's name.
std::vector<ArgumentSpec> options() {
  return {{"--modifier_token", Status::option, "placeholder_token"},
          {"--initializer_token", Status::option, "initializer_token"},
          {"--instance_prompt", Status::option, "instance_prompt"},
          {"--class_prompt", Status::option, "class_prompt"},
          {"--with_prior_preservation", Status::option, "with_prior_preservation"},
          {"--prior_loss_weight", Status::option, "prior_loss_weight"},
          {"--num_class_images", Status::option, "num_class_images"},
          {"--freeze_model", Status::option, "freeze_model"},
          {"--resolution", Status::option, "resolution"},
          {"--center_crop", Status::option, "center_crop"},
          {"--hflip", Status::option, "hflip"},
          {"--noaug", Status::option, "augment"},
          {"--train_batch_size", Status::option, "kv.train_batch_size"},
          {"--max_train_steps", Status::option, "kv.max_train_steps"},
          {"--gradient_accumulation_steps", Status::option, "kv.gradient_accumulation_steps"},
          {"--learning_rate", Status::option, "kv.learning_rate"},
          {"--scale_lr", Status::option, "kv.scale_lr"},
          {"--lr_scheduler", Status::option, "kv.lr_scheduler"},
          {"--lr_warmup_steps", Status::option, "kv.lr_warmup_steps"},
          {"--adam_beta1", Status::option, "kv.adam_beta1"},
          {"--adam_beta2", Status::option, "kv.adam_beta2"},
          {"--adam_weight_decay", Status::option, "kv.adam_weight_decay"},
          {"--adam_epsilon", Status::option, "kv.adam_epsilon"},
          {"--max_grad_norm", Status::option, "kv.max_grad_norm"}};
}

std::vector<ArgumentSpec> framework() {
  return {{"--pretrained_model_name_or_path", Status::framework, "the study's base model"},
          {"--instance_data_dir", Status::framework, "the photos of the study's concepts"},
          {"--class_data_dir", Status::framework, "images of the class belong to the concept, or are drawn"},
          {"--real_prior", Status::framework, "images of the class that the concept brings have captions of their own"},
          {"--sample_batch_size", Status::framework, "the device's memory decides"},
          {"--prior_generation_precision", Status::framework, "the type that the base is computed in"},
          {"--validation_prompt", Status::framework, "the study's preview"},
          {"--num_validation_images", Status::framework, "the study's preview"},
          {"--validation_steps", Status::framework, "the study's preview"},
          {"--output_dir", Status::framework, "artifacts lie in the store; `atelier export` copies them out"},
          {"--seed", Status::framework, "the study's seeds"},
          {"--checkpointing_steps", Status::framework, "the study's checkpoints; snapshots are kept by time and steps"},
          {"--checkpoints_total_limit", Status::framework, "one snapshot of a run is kept"},
          {"--resume_from_checkpoint", Status::framework, "an interrupted run continues by itself"},
          {"--gradient_checkpointing", Status::option, "gradient_checkpointing"},
          {"--logging_dir", Status::framework, "losses are objects of the store"},
          {"--mixed_precision", Status::framework, "the type that the base is computed in; what learns is float32"},
          {"--no_safe_serialization", Status::framework, "`atelier export` writes both kinds of files"}};
}

std::vector<ArgumentSpec> refusals() {
  return {{"--concepts_list", Status::refused, "a run learns one concept"},
          {"--revision", Status::refused, "name a base model on disk, whose digest enters every key"},
          {"--variant", Status::refused, "name a base model on disk, whose digest enters every key"},
          {"--tokenizer_name", Status::refused, "the tokenizer is the base model's own"},
          {"--num_train_epochs", Status::refused, "say how many steps: kv.max_train_steps"},
          {"--use_8bit_adam", Status::refused, "AdamW in float32 is the only optimizer"}};
}

std::vector<ArgumentSpec> without_effect() {
  return {
      {"--dataloader_num_workers", Status::without_effect, "pictures are read beside the training"},
      {"--set_grads_to_none", Status::without_effect, "gradients lie in one buffer that is cleared"},
      {"--allow_tf32", Status::without_effect, "a setting of the device, not of the method"},
      {"--enable_xformers_memory_efficient_attention", Status::without_effect, "attention is fused where it can be"},
      {"--report_to", Status::without_effect, "losses are objects of the store"},
      {"--local_rank", Status::without_effect, "one process trains one run"},
      {"--push_to_hub", Status::without_effect, "nothing is ever uploaded"},
      {"--hub_token", Status::without_effect, "nothing is ever uploaded"},
      {"--hub_model_id", Status::without_effect, "nothing is ever uploaded"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  std::vector<ArgumentSpec> all;
  for (const auto& part : {options(), framework(), refusals(), without_effect()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace atelier::custom_diffusion
