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
      common_arguments({"pretrained_model_name_or_path",
                        "instance_data_dir",
                        "class_data_dir",
                        "sample_batch_size",
                        "prior_generation_precision",
                        "output_dir",
                        "seed",
                        "mixed_precision",
                        "checkpointing_steps",
                        "checkpoints_total_limit",
                        "resume_from_checkpoint",
                        "logging_dir",
                        "validation_prompt",
                        "num_validation_images",
                        "validation_steps",
                        "validation_scheduler",
                        "revision",
                        "variant",
                        "tokenizer_name",
                        "tokenizer_max_length",
                        "text_encoder_use_attention_mask",
                        "class_labels_conditioning",
                        "validation_images",
                        "num_train_epochs",
                        "use_8bit_adam",
                        "pre_compute_text_embeddings",
                        "set_grads_to_none",
                        "allow_tf32",
                        "enable_xformers_memory_efficient_attention",
                        "dataloader_num_workers",
                        "local_rank",
                        "report_to",
                        "push_to_hub",
                        "hub_token",
                        "hub_model_id"}),
      own_arguments(),
  });
}

}  // namespace atelier::dreambooth
