#include "plugins/textual_inversion/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::textual_inversion {
namespace {

constexpr const char* kScript = "diffusers' textual_inversion.py";
constexpr const char* kCommand = "diffusers' README, the command for Stable Diffusion";

OptionSpec make(const char* name, OptionType type, Json value, const char* help, std::string source) {
  OptionSpec option;
  option.name = name;
  option.type = type;
  option.value = std::move(value);
  option.help = help;
  option.source = std::move(source);
  return option;
}

OptionSpec choice(const char* name, const char* value, std::vector<std::string> choices, const char* help,
                  std::string source) {
  OptionSpec option = make(name, OptionType::choice, value, help, std::move(source));
  option.choices = std::move(choices);
  return option;
}

OptionSpec integer(const char* name, std::int64_t value, double low, const char* help, std::string source) {
  OptionSpec option = make(name, OptionType::integer, value, help, std::move(source));
  option.low = low;
  return option;
}

std::vector<OptionSpec> token_options() {
  return {
      make("placeholder_token", OptionType::text, "<concept>", "the new token: a word that is new to the vocabulary",
           "ours; the script requires one"),
      make("initializer_token", OptionType::text, nullptr,
           "a word of one token whose row the vectors start from; unset: the concept's initializer or class word",
           "ours; the script requires one"),
      integer("num_vectors", 1, 1, "vectors that stand for the placeholder", std::string(kScript) + ", --num_vectors"),
  };
}

std::vector<OptionSpec> data_options() {
  const std::string script = kScript;
  OptionSpec flip = make("flip_probability", OptionType::real, 0.5, "probability that a picture is mirrored",
                         script + ", flip_p of its data set");
  flip.low = 0.0;
  flip.high = 1.0;
  return {
      choice("learnable_property", "object", {"object", "style"}, "which templates the captions are drawn from",
             std::string(kCommand)),
      choice("templates", "diffusers", {"diffusers", "paper"},
             "the script's 27 object templates, or the 81 of the authors' code", script),
      integer("resolution", 512, 8, "side of the training pictures", std::string(kCommand)),
      make("center_crop", OptionType::boolean, false, "cut the centre square before the resize, which else squashes",
           script + ", --center_crop"),
      std::move(flip),
      integer("repeats", 100, 1, "how many times an epoch holds each photo", script + ", --repeats"),
      gradient_checkpointing_option(script),
  };
}

std::vector<OptionSpec> options() {
  auto all = token_options();
  for (auto& option : data_options()) all.push_back(std::move(option));
  // The command's 5e-4 with --scale_lr, batches of 1 and 4 accumulation steps: 2e-3 on the mean over 4 rows.
  auto optimizer = stage_options(kStage, {.learning_rate = 2e-3,
                                          .max_grad_norm = 0.0,
                                          .train_batch_size = 4,
                                          .scale_lr = false,
                                          .gradient_accumulation_steps = 1,
                                          .adam_weight_decay = 1e-2,
                                          .source = kCommand});
  for (auto& option : optimizer) all.push_back(std::move(option));
  all.push_back(integer(kSteps, 3000, 0, "optimizer steps", std::string(kCommand)));
  return all;
}

StageSpec stage() {
  StageSpec stage;
  stage.name = kStage;
  stage.reads = {"placeholder_token", "initializer_token",   "num_vectors", "learnable_property",
                 "templates",         "resolution",          "center_crop", "flip_probability",
                 "repeats",           kGradientCheckpointing};
  for (const auto& name : stage_option_names(kStage)) stage.reads.push_back(name);
  stage.steps.add = {kSteps};
  declare_schedules(stage);
  for (const char* templates : {"diffusers", "paper"}) {
    for (const char* property : {"object", "style"}) stage.lists.push_back(template_list(templates, property));
  }
  return stage;
}

/// What became of the script's arguments; those that are options here have the option's name.
std::vector<ArgumentSpec> arguments() {
  using Status = ArgumentSpec::Status;
  return {
      {"--placeholder_token", Status::option, "placeholder_token"},
      {"--initializer_token", Status::option, "initializer_token"},
      {"--num_vectors", Status::option, "num_vectors"},
      {"--learnable_property", Status::option, "learnable_property"},
      {"--repeats", Status::option, "repeats"},
      {"--resolution", Status::option, "resolution"},
      {"--center_crop", Status::option, "center_crop"},
      {"--train_batch_size", Status::option, "embedding.train_batch_size"},
      {"--max_train_steps", Status::option, "embedding.max_train_steps"},
      {"--gradient_accumulation_steps", Status::option, "embedding.gradient_accumulation_steps"},
      {"--learning_rate", Status::option, "embedding.learning_rate"},
      {"--scale_lr", Status::option, "embedding.scale_lr"},
      {"--lr_scheduler", Status::option, "embedding.lr_scheduler"},
      {"--lr_warmup_steps", Status::option, "embedding.lr_warmup_steps"},
      {"--lr_num_cycles", Status::option, "embedding.lr_num_cycles"},
      {"--adam_beta1", Status::option, "embedding.adam_beta1"},
      {"--adam_beta2", Status::option, "embedding.adam_beta2"},
      {"--adam_weight_decay", Status::option, "embedding.adam_weight_decay"},
      {"--adam_epsilon", Status::option, "embedding.adam_epsilon"},
      {"--pretrained_model_name_or_path", Status::framework, "the study's base"},
      {"--train_data_dir", Status::framework, "the concept's photos"},
      {"--seed", Status::framework, "the run's seed"},
      {"--mixed_precision", Status::framework, "the type that the base is computed in"},
      {"--save_steps", Status::framework, "the study's checkpoints"},
      {"--checkpointing_steps", Status::framework, "snapshots are kept by time and steps"},
      {"--resume_from_checkpoint", Status::framework, "an interrupted run continues by itself"},
      {"--gradient_checkpointing", Status::option, "gradient_checkpointing"},
      {"--validation_prompt", Status::framework, "the study's preview"},
      {"--num_train_epochs", Status::refused, "say how many steps: embedding.max_train_steps"},
      {"--use_8bit_adam", Status::refused, "the moments of one row are small: AdamW in float32"},
      {"--enable_xformers_memory_efficient_attention", Status::without_effect, "attention is fused where it can be"},
      {"--dataloader_num_workers", Status::without_effect, "pictures are read beside the training"},
  };
}

}  // namespace

std::string template_list(const std::string& templates, const std::string& property) {
  if (templates == "paper") return property == "style" ? "ti/train_style" : "ti/train_object";
  return property == "style" ? "ti/imagenet_style_templates_small" : "ti/imagenet_templates_small";
}

MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = "textual_inversion";
  spec.summary = "learns the embedding of one new word; every weight of the model stays as it is";
  spec.paper = "Gal et al. 2022, arXiv:2208.01618";
  spec.options = options();
  spec.presets = {
      {.name = "diffusers", .help = "what the command in diffusers' README does", .options = Json::object()},
      {.name = "paper",
       .help = "the paper's rate, batch and steps (for its own latent diffusion model), and its templates",
       .options = {{"templates", "paper"},
                   {"embedding.learning_rate", 0.04},
                   {"embedding.train_batch_size", 8},
                   {"embedding.max_train_steps", 5000}}},
      {.name = "pocket",
       .help = "for the pocket world: few steps, a rate that falls to 0 (by trial)",
       .options = {{"resolution", 64},
                   {"embedding.learning_rate", 0.01},
                   {"embedding.lr_scheduler", "cosine"},
                   {"embedding.max_train_steps", 200}}},
  };
  spec.stages = {stage()};
  spec.phrases = {{.when = {}, .text = "{placeholder}", .base = "{class}"}};
  spec.sampler = {.scheduler = "pndm", .steps = 50, .guidance = 7.5, .settings = Json::object()};
  spec.arguments = arguments();
  return spec;
}

}  // namespace atelier::textual_inversion
