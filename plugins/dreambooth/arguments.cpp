#include "framework/config/argument_tables.h"

#include <nlohmann/json.hpp>

#include "plugins/dreambooth/spec.h"

namespace atelier::dreambooth {
namespace {

using Status = ArgumentSpec::Status;

/// What this program alone has, or has under another name.
std::vector<ArgumentSpec> own_arguments() {
  return {{"--skip_save_text_encoder", Status::without_effect, "an artifact holds what was trained, nothing else"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  return joined({
      same_named("", {"instance_prompt", "class_prompt", "with_prior_preservation", "prior_loss_weight",
                      "num_class_images", "resolution", "center_crop", "train_text_encoder", "offset_noise",
                      "snr_gamma", "gradient_checkpointing"}),
      same_named("finetune.", {"train_batch_size", "max_train_steps", "gradient_accumulation_steps", "learning_rate",
                               "scale_lr", "lr_scheduler", "lr_warmup_steps", "lr_num_cycles", "lr_power", "adam_beta1",
                               "adam_beta2", "adam_weight_decay", "adam_epsilon", "max_grad_norm"}),
      diffusers_arguments({"instance_data_dir", "class_data_dir", "sample_batch_size", "prior_generation_precision",
                           "validation_steps", "validation_scheduler", "tokenizer_max_length",
                           "text_encoder_use_attention_mask", "class_labels_conditioning", "validation_images",
                           "pre_compute_text_embeddings", "set_grads_to_none"}),
      own_arguments(),
  });
}

}  // namespace atelier::dreambooth
