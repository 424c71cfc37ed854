#include "framework/config/argument_tables.h"

#include <nlohmann/json.hpp>

#include "plugins/custom_diffusion/spec.h"

namespace atelier::custom_diffusion {
namespace {

using Status = ArgumentSpec::Status;

/// What this program alone has, or has under another name.
std::vector<ArgumentSpec> own_arguments() {
  return {{"--modifier_token", Status::option, "placeholder_token"},
          {"--noaug", Status::option, "augment"},
          {"--real_prior", Status::framework, "images of the class that the concept brings have captions of their own"},
          {"--no_safe_serialization", Status::framework, "`atelier export` writes both kinds of files"},
          {"--concepts_list", Status::refused, "a run learns one concept"}};
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  return joined({
      same_named(
          "", {"initializer_token", "instance_prompt", "class_prompt", "with_prior_preservation", "prior_loss_weight",
               "num_class_images", "freeze_model", "resolution", "center_crop", "hflip", "gradient_checkpointing"}),
      same_named("kv.", {"train_batch_size", "max_train_steps", "gradient_accumulation_steps", "learning_rate",
                         "scale_lr", "lr_scheduler", "lr_warmup_steps", "adam_beta1", "adam_beta2", "adam_weight_decay",
                         "adam_epsilon", "max_grad_norm"}),
      diffusers_arguments({"instance_data_dir", "class_data_dir", "sample_batch_size", "prior_generation_precision",
                           "validation_steps", "set_grads_to_none"}),
      own_arguments(),
  });
}

}  // namespace atelier::custom_diffusion
