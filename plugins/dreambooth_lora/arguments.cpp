#include "framework/config/argument_tables.h"

#include <nlohmann/json.hpp>

#include "plugins/dreambooth_lora/spec.h"

namespace atelier::dreambooth_lora {
namespace {

using Status = ArgumentSpec::Status;

/// What this program alone has, or has under another name.
std::vector<ArgumentSpec> own_arguments() {
  return {{"--dataset_name", Status::framework, "the photos of the study's concepts"},
          {"--dataset_config_name", Status::framework, "the photos of the study's concepts"},
          {"--image_column", Status::framework, "the photos of the study's concepts"},
          {"--output_kohya_format", Status::framework, "`atelier convert` writes that form"},
          {"--caption_column", Status::refused, "all photos have the instance prompt"},
          {"--lora_dropout", Status::refused, "the default is 0; no part of a session drops anything at random"},
          {"--use_dora", Status::refused, "adapters are plain low-rank updates"},
          {"--do_edm_style_training", Status::refused, "for base models of another noise process"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  return joined({
      same_named("", {"instance_prompt", "class_prompt", "with_prior_preservation", "prior_loss_weight",
                      "num_class_images", "resolution", "center_crop", "random_flip", "repeats",
                      "image_interpolation_mode", "train_text_encoder", "rank", "snr_gamma", "gradient_checkpointing"}),
      same_named("lora.", {"train_batch_size", "max_train_steps", "gradient_accumulation_steps", "learning_rate",
                           "text_encoder_lr", "scale_lr", "lr_scheduler", "lr_warmup_steps", "lr_num_cycles",
                           "lr_power", "adam_beta1", "adam_beta2", "adam_weight_decay",
                           "adam_weight_decay_text_encoder", "adam_epsilon", "max_grad_norm"}),
      diffusers_arguments({"instance_data_dir", "class_data_dir", "sample_batch_size", "prior_generation_precision",
                           "validation_epochs", "pretrained_vae_model_name_or_path", "tokenizer_max_length",
                           "text_encoder_use_attention_mask", "class_labels_conditioning", "validation_images",
                           "optimizer", "prodigy_beta3", "prodigy_decouple", "prodigy_use_bias_correction",
                           "prodigy_safeguard_warmup", "pre_compute_text_embeddings", "cache_dir"}),
      own_arguments(),
  });
}

}  // namespace atelier::dreambooth_lora
