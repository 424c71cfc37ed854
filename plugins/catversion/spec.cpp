#include "plugins/catversion/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::catversion {
namespace {

constexpr const char* kConfigSource = "published configuration";
constexpr const char* kCodeSource = "a constant of the published code";

OptionSpec make(const char* name, OptionType type, Json value, const char* help, const char* source) {
  OptionSpec option;
  option.name = name;
  option.type = type;
  option.value = std::move(value);
  option.help = help;
  option.source = source;
  return option;
}

OptionSpec number(const char* name, OptionType type, Json value, double low, const char* help, const char* source) {
  OptionSpec option = make(name, type, std::move(value), help, source);
  option.low = low;
  return option;
}

std::vector<OptionSpec> prefix_options() {
  return {
      make("caption", OptionType::text, nullptr, "the caption of every picture; unset: the concept's class word",
           "the authors' answer: the base class word alone. The shipped list holds one empty text"),
      make("allow_empty_caption", OptionType::boolean, false, "train under an empty caption, as the shipped list does",
           "ours: an empty caption trains, but it is not the described method"),
      number("prefix_length", OptionType::integer, 1, 1, "keys and values that stand in front, in each layer",
             kCodeSource),
      make("layers", OptionType::integers, {9, 10, 11},
           "layers of the text encoder, from 0; negative ones count from the end", kCodeSource),
      make("prefix_logit_bias", OptionType::real, 1.0,
           "added to the logits of those keys; the published programs train and sample with 1, the paper has no such "
           "term",
           "the adapter library that the published code uses"),
  };
}

std::vector<OptionSpec> data_options() {
  OptionSpec interpolation = make("interpolation", OptionType::choice, "bicubic", "filter of the resize", kCodeSource);
  interpolation.choices = {"bicubic", "bilinear", "lanczos"};
  OptionSpec flip =
      number("flip_probability", OptionType::real, 0.5, 0.0, "probability that a picture is mirrored", kCodeSource);
  flip.high = 1.0;
  return {
      number("resolution", OptionType::integer, 512, 8, "side of the training pictures", kConfigSource),
      make("center_crop", OptionType::boolean, false, "cut the centre square before the resize, which else squashes",
           kCodeSource),
      std::move(interpolation),
      std::move(flip),
      number("repeats", OptionType::integer, 100, 1, "how many times an epoch holds each photo", kConfigSource),
      gradient_checkpointing_option("ours; the published configuration asks for it, its code never does it"),
  };
}

std::vector<OptionSpec> all_options() {
  auto all = prefix_options();
  const auto append = [&](std::vector<OptionSpec> more) {
    for (auto& option : more) all.push_back(std::move(option));
  };
  append(data_options());
  append(stage_options(kStage, {.learning_rate = 5e-3,
                                .max_grad_norm = 0.0,
                                .train_batch_size = 2,
                                .scale_lr = true,
                                .gradient_accumulation_steps = 1,
                                .adam_weight_decay = 1e-2,
                                .source = kConfigSource}));
  append({number(kBaseRateOption, OptionType::real, nullptr, 0.0,
                 "the published configuration's name of learning_rate; where it is set, it counts", kConfigSource)});
  append({number(kSteps, OptionType::integer, 1000, 0, "optimizer steps",
                 "the released adapters: gs-999 holds the state after 1000")});
  return all;
}

StageSpec concat_stage() {
  StageSpec stage;
  stage.name = kStage;
  stage.reads = {
      "caption",     "allow_empty_caption", "prefix_length",    "layers",  "prefix_logit_bias",   "resolution",
      "center_crop", "interpolation",       "flip_probability", "repeats", kGradientCheckpointing};
  for (const auto& name : stage_option_names(kStage)) stage.reads.push_back(name);
  stage.reads.emplace_back(kBaseRateOption);
  stage.steps.add = {kSteps};
  declare_schedules(stage);
  return stage;
}

std::vector<PresetSpec> presets() {
  return {
      {.name = "published",
       .help = "the published code, stopped where the released adapters were",
       .options = Json::object()},
      {.name = "plain",
       .help = "as the abstract says it: no addition to the logits",
       .options = {{"prefix_logit_bias", 0.0}}},
      {.name = "official", .help = "the published configuration to its last update", .options = {{kSteps, 1001}}},
      {.name = "pocket",
       .help = "for the pocket world: the last three of its four layers",
       .options = {{"resolution", 64},
                   {"layers", {-3, -2, -1}},
                   {"prefix_length", 4},
                   {"concat.learning_rate", 0.05},
                   {"concat.scale_lr", false},
                   {kSteps, 500}}},
  };
}

}  // namespace

MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = "catversion";
  spec.summary =
      "learns keys and values in the last layers of the text encoder; no new word, every weight stays as it is";
  spec.paper = "Zhao et al. 2023, arXiv:2311.14631";
  spec.options = all_options();
  spec.presets = presets();
  spec.stages = {concat_stage()};
  spec.phrases = {
      {.when = {{.option = "caption", .value = nullptr, .negated = true}}, .text = "{caption}", .base = "{class}"},
      {.when = {}, .text = "{class}", .base = "{class}"}};
  spec.sampler = {.scheduler = "ddim",
                  .steps = 50,
                  .guidance = 10.0,
                  .settings = {{"eta", 0.0},
                               {"timestep_spacing", "leading"},
                               {"steps_offset", 1},
                               {"set_alpha_to_one", false},
                               {"clip_sample", false}}};
  spec.arguments = published_arguments();
  return spec;
}

}  // namespace atelier::catversion
