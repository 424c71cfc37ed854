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
      diffusers_arguments({"validation_steps", "validation_epochs"}),
      own_arguments(),
  });
}

}  // namespace atelier::textual_inversion
