#include "plugins/catversion/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::catversion {
namespace {

constexpr const char* kConfigSource = "published configuration";
constexpr const char* kCodeSource = "a constant of the published code";

OptionSpec layers_option() {
  OptionSpec option;
  option.name = "layers";
  option.type = OptionType::integers;
  option.value = {9, 10, 11};
  option.help = "layers of the text encoder, from 0; negative ones count from the end";
  option.source = kCodeSource;
  return option;
}

std::vector<OptionSpec> prefix_options() {
  return {
      text_option("caption", nullptr, "the caption of every picture; unset: the concept's class word",
                  "the authors' answer: the base class word alone. The shipped list holds one empty text"),
      flag_option("allow_empty_caption", false, "train under an empty caption, as the shipped list does",
                  "ours: an empty caption trains, but it is not the described method"),
      integer_option("prefix_length", 1, {.low = 1}, "keys and values that stand in front, in each layer", kCodeSource),
      layers_option(),
      real_option("prefix_logit_bias", 1.0, {},
                  "added to the logits of those keys; the published programs train and sample with 1, the paper has no "
                  "such term",
                  "the adapter library that the published code uses"),
  };
}

std::vector<OptionSpec> data_options() {
  return {
      resolution_option(512, kConfigSource),
      flag_option("center_crop", false, "cut the centre square before the resize, which else squashes", kCodeSource),
      choice_option("interpolation", "bicubic", {"bicubic", "bilinear", "lanczos"}, "filter of the resize",
                    kCodeSource),
      real_option("flip_probability", 0.5, {.low = 0.0, .high = 1.0}, "probability that a picture is mirrored",
                  kCodeSource),
      integer_option("repeats", 100, {.low = 1}, "how many times an epoch holds each photo", kConfigSource),
      gradient_checkpointing_option("ours; the published configuration asks for it, its code never does it"),
  };
}

std::vector<OptionSpec> all_options() {
  return joined(
      {prefix_options(),
       data_options(),
       stage_options(kStage, {.learning_rate = 5e-3, .train_batch_size = 2, .scale_lr = true, .source = kConfigSource}),
       {real_option(kBaseRateOption, nullptr, {.low = 0.0},
                    "the published configuration's name of learning_rate; where it is set, it counts", kConfigSource),
        integer_option(kSteps, 1000, {.low = 0}, "optimizer steps",
                       "the released adapters: gs-999 holds the state after 1000")}});
}

StageSpec concat_stage() {
  auto reads = names_of(joined({prefix_options(), data_options()}));
  reads.emplace_back(kBaseRateOption);
  return trained_stage(kStage, std::move(reads), kSteps);
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
