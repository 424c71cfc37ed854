#include "plugins/textual_inversion/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::textual_inversion {
namespace {

constexpr const char* kScript = "diffusers' textual_inversion.py";
constexpr const char* kCommand = "diffusers' README, the command for Stable Diffusion";

std::vector<OptionSpec> token_options() {
  return {
      text_option("placeholder_token", "<concept>", "the new token: a word that is new to the vocabulary",
                  "ours; the script requires one"),
      text_option(
          "initializer_token", nullptr,
          "a word of one token whose row the vectors start from; unset: the concept's initializer or class word",
          "ours; the script requires one"),
      integer_option("num_vectors", 1, {.low = 1}, "vectors that stand for the placeholder",
                     std::string(kScript) + ", --num_vectors"),
  };
}

std::vector<OptionSpec> data_options() {
  const std::string script = kScript;
  return {
      choice_option("learnable_property", "object", {"object", "style"}, "which templates the captions are drawn from",
                    kCommand),
      choice_option("templates", "diffusers", {"diffusers", "paper"},
                    "the script's 27 object templates, or the 81 of the authors' code", script),
      resolution_option(512, kCommand),
      flag_option("center_crop", false, "cut the centre square before the resize, which else squashes",
                  script + ", --center_crop"),
      real_option("flip_probability", 0.5, {.low = 0.0, .high = 1.0}, "probability that a picture is mirrored",
                  script + ", flip_p of its data set"),
      integer_option("repeats", 100, {.low = 1}, "how many times an epoch holds each photo", script + ", --repeats"),
      gradient_checkpointing_option(script),
  };
}

std::vector<OptionSpec> options() {
  // The command's 5e-4 with --scale_lr, batches of 1 and 4 accumulation steps: 2e-3 on the mean over 4 rows.
  return joined({token_options(),
                 data_options(),
                 {micro_conditioning_option("ours; diffusers' textual_inversion_sdxl.py tells the photo's")},
                 stage_options(kStage, {.learning_rate = 2e-3, .train_batch_size = 4, .source = kCommand}),
                 {integer_option(kSteps, 3000, {.low = 0}, "optimizer steps", kCommand)}});
}

StageSpec stage() {
  auto stage = trained_stage(kStage, names_of(joined({token_options(), data_options()})), kSteps);
  stage.reads_when.push_back(micro_conditioning_reads());
  for (const char* templates : {"diffusers", "paper"}) {
    for (const char* property : {"object", "style"}) stage.lists.push_back(template_list(templates, property));
  }
  return stage;
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
      {.name = "script",
       .help = "the defaults of the program's arguments: 5000 steps in batches of 16 at 1e-4",
       .options = {{"embedding.learning_rate", 1e-4},
                   {"embedding.train_batch_size", 16},
                   {"embedding.max_train_steps", 5000}}},
      {.name = "sdxl",
       .help = "the command in diffusers' README for SDXL, at its scaled rate",
       .options = {{"resolution", 768}, {"micro_conditioning", "photo"}, {"embedding.max_train_steps", 500}}},
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
  spec.arguments = published_arguments();
  return spec;
}

}  // namespace atelier::textual_inversion
