#include <nlohmann/json.hpp>

#include "plugins/dreambooth/spec.h"

namespace atelier::dreambooth {
namespace {

using Status = ArgumentSpec::Status;

/// Text: the option's name.
std::vector<ArgumentSpec> options() {
  return {{"--instance_prompt", Status::option, "instance_prompt"},
          {"--class_prompt", Status::option, "class_prompt"},
          {"--with_prior_preservation", Status::option, "with_prior_preservation"},
          {"--prior_loss_weight", Status::option, "prior_loss_weight"},
          {"--num_class_images", Status::option, "num_class_images"},
          {"--resolution", Status::option, "resolution"},
          {"--center_crop", Status::option, "center_crop"},
          {"--train_text_encoder", Status::option, "train_text_encoder"},
          {"--offset_noise", Status::option, "offset_noise"},
          {"--snr_gamma", Status::option, "snr_gamma"},
          {"--train_batch_size", Status::option, "finetune.train_batch_size"},
          {"--max_train_steps", Status::option, kSteps},
          {"--gradient_accumulation_steps", Status::option, "finetune.gradient_accumulation_steps"},
          {"--learning_rate", Status::option, "finetune.learning_rate"},
          {"--scale_lr", Status::option, "finetune.scale_lr"},
          {"--lr_scheduler", Status::option, "finetune.lr_scheduler"},
          {"--lr_warmup_steps", Status::option, "finetune.lr_warmup_steps"},
          {"--lr_num_cycles", Status::option, "finetune.lr_num_cycles"},
          {"--lr_power", Status::option, "finetune.lr_power"},
          {"--adam_beta1", Status::option, "finetune.adam_beta1"},
          {"--adam_beta2", Status::option, "finetune.adam_beta2"},
          {"--adam_weight_decay", Status::option, "finetune.adam_weight_decay"},
          {"--adam_epsilon", Status::option, "finetune.adam_epsilon"},
          {"--max_grad_norm", Status::option, "finetune.max_grad_norm"}};
}

std::vector<ArgumentSpec> framework() {
  return {{"--pretrained_model_name_or_path", Status::framework, "the study's base model"},
          {"--instance_data_dir", Status::framework, "the photos of the study's concepts"},
          {"--class_data_dir", Status::framework, "a concept's images of its class"},
          {"--sample_batch_size", Status::framework, "the device's memory decides; no picture depends on it"},
          {"--prior_generation_precision", Status::framework, "the study's computing type"},
          {"--output_dir", Status::framework, "artifacts lie in the store; `atelier export` copies them out"},
          {"--seed", Status::framework, "the run's seed"},
          {"--mixed_precision", Status::framework, "the type that the base is computed in; what learns is float32"},
          {"--checkpointing_steps", Status::framework, "the study's checkpoints; snapshots are kept by themselves"},
          {"--checkpoints_total_limit", Status::framework, "one snapshot is kept until the stage ends"},
          {"--resume_from_checkpoint", Status::framework, "an interrupted run continues by itself"},
          {"--gradient_checkpointing", Status::option, "gradient_checkpointing"},
          {"--logging_dir", Status::framework, "losses are objects of the store"},
          {"--validation_prompt", Status::framework, "the study's preview"},
          {"--num_validation_images", Status::framework, "the study's preview"},
          {"--validation_steps", Status::framework, "the study's preview"},
          {"--validation_scheduler", Status::framework, "the study's sampler"}};
}

std::vector<ArgumentSpec> refusals() {
  return {
      {"--revision", Status::refused, "name a base model on disk, whose digest enters every key"},
      {"--variant", Status::refused, "name a base model on disk, whose digest enters every key"},
      {"--tokenizer_name", Status::refused, "the tokenizer is the base model's own"},
      {"--tokenizer_max_length", Status::refused, "for models that read longer prompts than CLIP"},
      {"--text_encoder_use_attention_mask", Status::refused, "for T5; CLIP reads its padding, in training and after"},
      {"--class_labels_conditioning", Status::refused, "for the upscaler of another family of models"},
      {"--validation_images", Status::refused, "for the upscaler of another family of models"},
      {"--num_train_epochs", Status::refused, "say how many steps: finetune.max_train_steps"},
      {"--use_8bit_adam", Status::refused, "AdamW in float32 is the only optimizer"}};
}

std::vector<ArgumentSpec> without_effect() {
  return {
      {"--pre_compute_text_embeddings", Status::without_effect,
       "a text encoder that does not learn reads each prompt once"},
      {"--skip_save_text_encoder", Status::without_effect, "an artifact holds what was trained, nothing else"},
      {"--set_grads_to_none", Status::without_effect, "every parameter has a gradient in every step"},
      {"--allow_tf32", Status::without_effect, "float32 is computed in float32"},
      {"--enable_xformers_memory_efficient_attention", Status::without_effect, "attention is fused where it can be"},
      {"--dataloader_num_workers", Status::without_effect, "pictures are read beside the training"},
      {"--local_rank", Status::without_effect, "one process trains one run"},
      {"--report_to", Status::without_effect, "losses are objects of the store"},
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

}  // namespace atelier::dreambooth
