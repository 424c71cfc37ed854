#include <nlohmann/json.hpp>

#include "plugins/catversion/spec.h"

namespace atelier::catversion {
namespace {

using Status = ArgumentSpec::Status;

std::vector<ArgumentSpec> training_configuration() {
  return {
      {"base_learning_rate", Status::option, "concat.base_learning_rate"},
      {"prefix_length", Status::option, "prefix_length"},
      {"size", Status::option, "resolution"},
      {"repeats", Status::option, "repeats"},
      {"center_crop", Status::option, "center_crop"},
      {"interpolation", Status::option, "interpolation"},
      {"flip_p", Status::option, "flip_probability"},
      {"batch_size", Status::option, "concat.train_batch_size"},
      {"max_steps", Status::option, "concat.max_train_steps"},
      {"every_n_train_steps", Status::framework, "the study's checkpoints; the authors' are 250, 500, 750, 1000"},
      {"image_logger", Status::framework, "the study's preview"},
      {"linear_start, linear_end, timesteps", Status::framework, "the base's scheduler configuration"},
      {"scale_factor, unet_config, first_stage_config", Status::framework, "the base's own configuration"},
      {"flat, use_gating, dropout", Status::refused, "always flat, without a gate and without dropout, as published"},
      {"benchmark, num_workers, wrap", Status::without_effect, "how the authors' trainer runs, not what it computes"},
      {"use_ema, embedding_reg_weight, unfreeze_model, model_lr", Status::without_effect, "off in the configuration"},
      {"num_timesteps_cond, monitor, log_every_t, use_checkpoint, max_images, increase_log_steps",
       Status::without_effect, "logging, or without effect in the published code"},
      {"personalization_config", Status::without_effect,
       "placeholder, initializer, per_image_tokens, num_vectors_per_token, progressive_words: left over from another "
       "method"},
  };
}

std::vector<ArgumentSpec> training_arguments() {
  return {
      {"--base", Status::framework, "the study, or the command's --set"},
      {"--train", Status::framework, "atelier train"},
      {"--name, --postfix, --logdir, --project, --datadir_in_name", Status::framework,
       "the study's name and the store"},
      {"--resume", Status::framework, "an interrupted run continues by itself"},
      {"--actual_resume", Status::framework, "the study's base"},
      {"--data_root", Status::framework, "the concept's photos"},
      {"--gpus", Status::framework, "one device a run; the rate is scaled as for one"},
      {"--scale_lr", Status::option, "concat.scale_lr"},
      {"--seed", Status::framework, "the run's seed"},
      {"--debug, --no-test", Status::without_effect, "housekeeping"},
      {"--embedding_manager_ckpt, --placeholder_string, --init_word", Status::without_effect,
       "left over from another method"},
  };
}

std::vector<ArgumentSpec> sampling_arguments() {
  return {
      {"--prompt", Status::framework, "the study's prompts"},
      {"--outdir", Status::framework, "the store; atelier export writes pictures"},
      {"--ddim_steps", Status::framework, "the sampler's steps"},
      {"--plms", Status::framework, "the sampler's scheduler: pndm"},
      {"--ddim_eta", Status::framework, "the sampler's setting eta; 0 by default"},
      {"--n_iter", Status::framework, "pictures of a prompt; seed N+i for the i-th"},
      {"--n_samples", Status::framework, "pictures computed at once; the authors' must be 1"},
      {"--H, --W", Status::framework, "the size of the pictures"},
      {"--scale", Status::framework, "the sampler's guidance"},
      {"--ckpt_path", Status::framework, "the study's base"},
      {"--embedding_path", Status::framework, "atelier sample --artifact reads the folder"},
  };
}

std::vector<ArgumentSpec> scoring_arguments() {
  return {
      {"--ref_img_dir_or_path", Status::framework, "the evaluation catversion: the concept's photos"},
      {"--gen_img_dir_or_path", Status::framework, "the evaluation catversion: the study's pictures"},
      {"--log_file", Status::framework, "atelier table"},
  };
}

}  // namespace

std::vector<ArgumentSpec> published_arguments() {
  std::vector<ArgumentSpec> all;
  for (auto part : {training_configuration(), training_arguments(), sampling_arguments(), scoring_arguments()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace atelier::catversion
