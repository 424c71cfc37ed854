#include "framework/config/argument_tables.h"

#include <nlohmann/json.hpp>

#include "plugins/dco/spec.h"

namespace atelier::dco {
namespace {

using Status = ArgumentSpec::Status;

/// What this program alone has, or has under another name.
std::vector<ArgumentSpec> own_arguments() {
  return {
      {"--train_text_encoder_ti", Status::option, "recipe"},
      {"--config_dir", Status::framework, "a concept's folder, with the authors' config.json or captions of its own"},
      {"--config_name", Status::framework, "`entry` in the concept.yaml beside config.json"},
      {"--crops_coords_top_left_h", Status::refused, "SDXL is told a crop at 0, 0, as by the published command"},
      {"--crops_coords_top_left_w", Status::refused, "SDXL is told a crop at 0, 0, as by the published command"},
      {"--with_prior_preservation", Status::refused, "it does not run in the published program"},
      {"--prior_loss_weight", Status::refused, "see --with_prior_preservation"},
      {"--train_text_encoder", Status::refused, "it does not run together with the DCO loss"},
      {"--num_train_epochs", Status::without_effect, "the published program ignores it"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  return joined({
      same_named("",
                 {"dcoloss_beta", "rank", "offset_noise", "snr_gamma", "resolution", "center_crop", "max_train_steps",
                  "text_encoder_lr", "adam_weight_decay_text_encoder", "gradient_checkpointing"}),
      same_named("subject.", {"learning_rate", "scale_lr", "train_batch_size", "gradient_accumulation_steps",
                              "lr_scheduler", "lr_warmup_steps", "lr_num_cycles", "lr_power", "adam_beta1",
                              "adam_beta2", "adam_weight_decay", "adam_epsilon", "max_grad_norm"}),
      common_arguments({"pretrained_model_name_or_path", "validation_prompt", "num_validation_images",
                        "validation_epochs", "output_dir", "checkpointing_steps", "checkpoints_total_limit",
                        "resume_from_checkpoint", "seed", "mixed_precision", "logging_dir", "report_to",
                        "pretrained_vae_model_name_or_path", "revision", "variant", "use_8bit_adam",
                        "dataloader_num_workers", "allow_tf32", "local_rank"}),
      own_arguments(),
  });
}

}  // namespace atelier::dco
