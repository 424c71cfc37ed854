#include <nlohmann/json.hpp>

#include "plugins/dreambooth_lora/spec.h"

namespace atelier::dreambooth_lora {
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
          {"--random_flip", Status::option, "random_flip"},
          {"--repeats", Status::option, "repeats"},
          {"--image_interpolation_mode", Status::option, "image_interpolation_mode"},
          {"--train_text_encoder", Status::option, "train_text_encoder"},
          {"--rank", Status::option, "rank"},
          {"--snr_gamma", Status::option, "snr_gamma"},
          {"--train_batch_size", Status::option, "lora.train_batch_size"},
          {"--max_train_steps", Status::option, "lora.max_train_steps"},
          {"--gradient_accumulation_steps", Status::option, "lora.gradient_accumulation_steps"},
          {"--learning_rate", Status::option, "lora.learning_rate"},
          {"--text_encoder_lr", Status::option, "lora.text_encoder_lr"},
          {"--scale_lr", Status::option, "lora.scale_lr"},
          {"--lr_scheduler", Status::option, "lora.lr_scheduler"},
          {"--lr_warmup_steps", Status::option, "lora.lr_warmup_steps"},
          {"--lr_num_cycles", Status::option, "lora.lr_num_cycles"},
          {"--lr_power", Status::option, "lora.lr_power"},
          {"--adam_beta1", Status::option, "lora.adam_beta1"},
          {"--adam_beta2", Status::option, "lora.adam_beta2"},
          {"--adam_weight_decay", Status::option, "lora.adam_weight_decay"},
          {"--adam_weight_decay_text_encoder", Status::option, "lora.adam_weight_decay_text_encoder"},
          {"--adam_epsilon", Status::option, "lora.adam_epsilon"},
          {"--max_grad_norm", Status::option, "lora.max_grad_norm"}};
}

std::vector<ArgumentSpec> framework() {
  return {{"--pretrained_model_name_or_path", Status::framework, "the study's base model"},
          {"--instance_data_dir", Status::framework, "the photos of the study's concepts"},
          {"--dataset_name", Status::framework, "the photos of the study's concepts"},
          {"--dataset_config_name", Status::framework, "the photos of the study's concepts"},
          {"--image_column", Status::framework, "the photos of the study's concepts"},
          {"--class_data_dir", Status::framework, "images of the class belong to the concept, or are drawn"},
          {"--sample_batch_size", Status::framework, "the device's memory decides"},
          {"--prior_generation_precision", Status::framework, "the type that the base is computed in"},
          {"--validation_prompt", Status::framework, "the study's preview"},
          {"--num_validation_images", Status::framework, "the study's preview"},
          {"--validation_epochs", Status::framework, "the study's preview counts steps"},
          {"--output_dir", Status::framework, "artifacts lie in the store; `atelier export` copies them out"},
          {"--output_kohya_format", Status::framework, "`atelier convert` writes that form"},
          {"--seed", Status::framework, "the study's seeds"},
          {"--checkpointing_steps", Status::framework, "the study's checkpoints; snapshots are kept by time and steps"},
          {"--checkpoints_total_limit", Status::framework, "one snapshot of a run is kept"},
          {"--resume_from_checkpoint", Status::framework, "an interrupted run continues by itself"},
          {"--gradient_checkpointing", Status::option, "gradient_checkpointing"},
          {"--logging_dir", Status::framework, "losses are objects of the store"},
          {"--mixed_precision", Status::framework, "the type that the base is computed in; updates learn in float32"}};
}

std::vector<ArgumentSpec> refusals() {
  return {{"--pretrained_vae_model_name_or_path", Status::refused, "the autoencoder is the base model's own"},
          {"--revision", Status::refused, "name a base model on disk, whose digest enters every key"},
          {"--variant", Status::refused, "name a base model on disk, whose digest enters every key"},
          {"--tokenizer_name", Status::refused, "the tokenizer is the base model's own"},
          {"--tokenizer_max_length", Status::refused, "the length is the base model's own"},
          {"--text_encoder_use_attention_mask", Status::refused, "Stable Diffusion's encoders read their padding"},
          {"--class_labels_conditioning", Status::refused, "Stable Diffusion's UNet takes no labels"},
          {"--validation_images", Status::refused, "for pipelines that begin with a picture"},
          {"--caption_column", Status::refused, "all photos have the instance prompt"},
          {"--num_train_epochs", Status::refused, "say how many steps: lora.max_train_steps"},
          {"--lora_dropout", Status::refused, "the default is 0; no part of a session drops anything at random"},
          {"--use_dora", Status::refused, "adapters are plain low-rank updates"},
          {"--do_edm_style_training", Status::refused, "for base models of another noise process"},
          {"--optimizer", Status::refused, "AdamW in float32 is the only optimizer"},
          {"--use_8bit_adam", Status::refused, "AdamW in float32 is the only optimizer"},
          {"--prodigy_beta3", Status::refused, "AdamW in float32 is the only optimizer"},
          {"--prodigy_decouple", Status::refused, "AdamW in float32 is the only optimizer"},
          {"--prodigy_use_bias_correction", Status::refused, "AdamW in float32 is the only optimizer"},
          {"--prodigy_safeguard_warmup", Status::refused, "AdamW in float32 is the only optimizer"}};
}

std::vector<ArgumentSpec> without_effect() {
  return {
      {"--pre_compute_text_embeddings", Status::without_effect,
       "prompts are encoded once while nothing in the encoders learns"},
      {"--dataloader_num_workers", Status::without_effect, "pictures are read beside the training"},
      {"--allow_tf32", Status::without_effect, "a setting of the device, not of the method"},
      {"--enable_xformers_memory_efficient_attention", Status::without_effect, "attention is fused where it can be"},
      {"--report_to", Status::without_effect, "losses are objects of the store"},
      {"--cache_dir", Status::without_effect, "nothing is ever downloaded"},
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

}  // namespace atelier::dreambooth_lora
