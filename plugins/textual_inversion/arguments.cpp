#include "framework/config/argument_tables.h"

#include <nlohmann/json.hpp>

#include "plugins/textual_inversion/spec.h"

namespace atelier::textual_inversion {
namespace {

using Status = ArgumentSpec::Status;

/// What this program alone has, or has under another name.
std::vector<ArgumentSpec> own_arguments() {
  return {{"--train_data_dir", Status::framework, "the concept's photos"},
          {"--save_steps", Status::framework, "the study's checkpoints"},
          {"--save_as_full_pipeline", Status::framework, "`atelier export --form pipeline`"},
          {"--no_safe_serialization", Status::framework, "`atelier convert` writes both kinds of files"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  return joined({
      same_named("", {"placeholder_token", "initializer_token", "num_vectors", "learnable_property", "repeats",
                      "resolution", "center_crop", "gradient_checkpointing"}),
      same_named("embedding.", {"train_batch_size", "max_train_steps", "gradient_accumulation_steps", "learning_rate",
                                "scale_lr", "lr_scheduler", "lr_warmup_steps", "lr_num_cycles", "adam_beta1",
                                "adam_beta2", "adam_weight_decay", "adam_epsilon"}),
      common_arguments({"pretrained_model_name_or_path",
                        "seed",
                        "mixed_precision",
                        "checkpointing_steps",
                        "resume_from_checkpoint",
                        "validation_prompt",
                        "num_train_epochs",
                        "use_8bit_adam",
                        "enable_xformers_memory_efficient_attention",
                        "dataloader_num_workers",
                        "tokenizer_name",
                        "revision",
                        "variant",
                        "output_dir",
                        "checkpoints_total_limit",
                        "logging_dir",
                        "report_to",
                        "num_validation_images",
                        "validation_steps",
                        "validation_epochs",
                        "local_rank",
                        "allow_tf32",
                        "push_to_hub",
                        "hub_token",
                        "hub_model_id"}),
      own_arguments(),
  });
}

}  // namespace atelier::textual_inversion
