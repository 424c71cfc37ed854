#include "plugins/custom_diffusion/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::custom_diffusion {
namespace {

constexpr const char* kScript = "diffusers' train_custom_diffusion.py";
constexpr const char* kCommand = "diffusers' README of Custom Diffusion, the command for one concept";

std::vector<OptionSpec> prompt_options() {
  return {
      text_option("placeholder_token", "<new1>", "the modifier: a word that is new to the vocabulary", kCommand),
      text_option(
          "initializer_token", nullptr,
          "a word of one token whose row the modifier starts from; unset: the concept's initializer or class word",
          "ours; the script starts from the rare token ktn"),
      text_option("instance_prompt", "photo of a {}", "caption of the photos; {} is modifier and class word", kCommand),
      only_when(
          with_prior(),
          text_option("class_prompt", "{}",
                      "caption of the images of the class without one of their own; {} is the class word", kCommand)),
  };
}

std::vector<OptionSpec> loss_options() {
  return joined({
      {choice_option("freeze_model", "crossattn_kv", {"crossattn_kv", "crossattn"},
                     "what of the cross-attention learns: keys and values, or queries and output too", kScript),
       flag_option("detach_start_token", false,
                   "keys and values of a caption's start token teach nothing; the published attention is so", kScript)},
      prior_options(kScript),
      {class_images_option(with_prior()),
       only_when(with_prior(),
                 integer_option("num_class_images", 200, {.low = 1},
                                "images of the class that are drawn from the base model where the concept has none",
                                kCommand))},
  });
}

std::vector<OptionSpec> data_options() {
  return {
      resolution_option(512, kCommand),
      flag_option("hflip", true, "mirror half of the pictures", kCommand),
      flag_option("augment", true,
                  "show each photo small on a grey canvas or enlarged, and say so in its caption; the script's --noaug "
                  "is false",
                  kScript),
      only_when(with_prior(), flag_option("center_crop", false,
                                          "cut the centre of the class images instead of a random place", kScript)),
      gradient_checkpointing_option(kScript),
  };
}

/// The script doubles a scaled rate with prior preservation: its batch has as many rows again.
std::vector<OptionSpec> optimizer_options() {
  auto options =
      stage_options(kStage, {.learning_rate = 1e-5, .max_grad_norm = 1.0, .train_batch_size = 2, .source = kCommand});
  for (auto& option : options) {
    if (option.name == std::string(kStage) + ".scale_lr") option.help += ", and by 2 with prior preservation";
  }
  return options;
}

std::vector<OptionSpec> all_options() {
  return joined({prompt_options(),
                 loss_options(),
                 data_options(),
                 optimizer_options(),
                 {integer_option(kSteps, 250, {.low = 0}, "optimizer steps", kCommand)}});
}

StageSpec stage() {
  auto stage =
      trained_stage(kStage,
                    {"placeholder_token", "initializer_token", "instance_prompt", "freeze_model", "detach_start_token",
                     "with_prior_preservation", "resolution", "hflip", "augment", kGradientCheckpointing},
                    kSteps);
  stage.reads_when.push_back({.when = with_prior(), .options = {"class_prompt", "prior_loss_weight", "center_crop"}});
  stage.lists = {kFarCaptions, kNearCaptions};
  stage.class_images_when = {with_prior()};
  return stage;
}

std::vector<PresetSpec> presets() {
  const Json published{{"detach_start_token", true},
                       {"with_prior_preservation", true},
                       {"initializer_token", "ktn"},
                       {"kv.scale_lr", true}};
  Json faces = published;
  faces.update({{"freeze_model", "crossattn"}, {"augment", false}, {"kv.learning_rate", 5e-6}, {kSteps, 1000}});
  return {
      {.name = "plain",
       .help = "the published command without class images and at its unscaled rate",
       .options = Json::object()},
      {.name = "diffusers", .help = "the command in diffusers' README for one concept", .options = published},
      {.name = "faces", .help = "the command in diffusers' README for human faces", .options = faces},
      {.name = "script",
       .help = "the defaults of the program's arguments; it has none for the number of steps",
       .options = {{"detach_start_token", true},
                   {"initializer_token", "ktn"},
                   {"hflip", false},
                   {"kv.train_batch_size", 4},
                   {"kv.lr_warmup_steps", 500}}},
      {.name = "pocket",
       .help = "for the pocket world: photos as large as their picture (by trial on one concept)",
       .options = {{"instance_prompt", "a photo of a {}"},
                   {"resolution", 64},
                   {"augment", false},
                   {"kv.learning_rate", 3e-3},
                   {"kv.lr_scheduler", "cosine"},
                   {"kv.train_batch_size", 4},
                   {kSteps, 200}}},
  };
}

}  // namespace

MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = "custom_diffusion";
  spec.summary = "keys and values of the cross-attention learn, with a new token in front of the class word";
  spec.paper = "Kumari et al. 2023, Multi-Concept Customization of Text-to-Image Diffusion, arXiv:2212.04488";
  spec.options = all_options();
  spec.presets = presets();
  spec.stages = {stage()};
  spec.phrases = {{.when = {}, .text = "{placeholder} {class}", .base = "{class}"}};
  spec.sampler = {.scheduler = "pndm", .steps = 100, .guidance = 6.0, .settings = Json::object()};
  spec.arguments = published_arguments();
  return spec;
}

}  // namespace atelier::custom_diffusion
