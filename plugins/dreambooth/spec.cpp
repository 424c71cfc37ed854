#include "plugins/dreambooth/spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::dreambooth {
namespace {

constexpr const char* kScript = "diffusers' train_dreambooth.py";
constexpr const char* kCommand = "diffusers' README, the command with an image of a dog";

std::vector<OptionSpec> prompt_options() {
  return {
      text_option("placeholder_token", "sks", "the identifier: a word that means nothing yet; none is added", kCommand),
      text_option("instance_prompt", "a photo of {}", "caption of the photos; {} is identifier and class word",
                  kCommand),
  };
}

std::vector<OptionSpec> loss_options() {
  return joined({
      {flag_option("train_text_encoder", false, "the text encoder learns too", kScript)},
      prior_options(kScript),
      {real_option("offset_noise", 0.0, {.low = 0.0},
                   "share of a noise that is the same in a whole channel; the script's switch is 0.1", kScript),
       real_option("snr_gamma", nullptr, {.low = 0.0},
                   "weigh each row's loss by min(SNR, gamma) / SNR (+ 1 where the base predicts the velocity)",
                   kScript)},
  });
}

OptionSpec& find(std::vector<OptionSpec>& options, std::string_view name) {
  return *std::ranges::find(options, name, &OptionSpec::name);
}

std::vector<OptionSpec> all_options() {
  auto all = joined({
      prompt_options(),
      loss_options(),
      class_image_options({.when = with_prior(), .source = "diffusers' README, the command with prior preservation"}),
      {resolution_option(512, kCommand),
       flag_option("center_crop", false, "cut the centre instead of a random place", kScript),
       gradient_checkpointing_option(kScript)},
      stage_options(kStage, {.learning_rate = 5e-6, .max_grad_norm = 1.0, .source = kCommand}),
      {integer_option(kSteps, 400, {.low = 0}, "optimizer steps", kCommand)},
  });
  find(all, "class_prompt").help =
      "caption of the images of the class, and what they are drawn from; {} is the class word";
  return all;
}

/// The example's pipeline, also where it draws images of the class.
SamplerSpec sampler() { return {.scheduler = "pndm", .steps = 50, .guidance = 7.5, .settings = Json::object()}; }

StageSpec stage() {
  auto stage = trained_stage(kStage,
                             {"placeholder_token", "instance_prompt", "train_text_encoder", "with_prior_preservation",
                              "offset_noise", "snr_gamma", "resolution", "center_crop", kGradientCheckpointing},
                             kSteps);
  stage.reads_when.push_back({.when = with_prior(), .options = {"class_prompt", "prior_loss_weight"}});
  stage.class_images_when = {with_prior()};
  stage.class_images_sampler = sampler();
  return stage;
}

Json pocket(std::int64_t steps, double rate) {
  return {{"placeholder_token", "cool"},  // a word that no caption of the pocket world has
          {"instance_prompt", "a photo of a {}"}, {"resolution", 64}, {"finetune.learning_rate", rate},
          {"finetune.train_batch_size", 4},       {kSteps, steps}};
}

std::vector<PresetSpec> presets() {
  const Json prior{{"with_prior_preservation", true}, {kSteps, 800}};
  Json with_text = prior;
  with_text.update({{"train_text_encoder", true}, {"finetune.learning_rate", 2e-6}});
  return {
      {.name = "diffusers", .help = "the first command in diffusers' README", .options = Json::object()},
      {.name = "diffusers_prior", .help = "its command with prior preservation", .options = prior},
      {.name = "diffusers_text_encoder",
       .help = "its command that trains the text encoder too, with prior preservation",
       .options = with_text},
      {.name = "script",
       .help = "the defaults of the program's arguments; it has none for the number of steps",
       .options = {{"finetune.train_batch_size", 4}, {"finetune.lr_warmup_steps", 500}}},
      {.name = "paper",
       .help = "the paper's rate for Stable Diffusion, steps, and number of class images",
       .options = {{"with_prior_preservation", true}, {"num_class_images", 1000}, {kSteps, 1000}}},
      {.name = "pocket", .help = "for the pocket world (by trial)", .options = pocket(100, 1e-4)},
      {.name = "pocket_overtrained",
       .help = "for the pocket world, with too many steps of too large a rate: near to the photos, deaf to the prompt",
       .options = pocket(300, 5e-4)},
  };
}

}  // namespace

MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = "dreambooth";
  spec.summary = "every weight of the UNet learns, and where asked the text encoder's; a rare word names the concept";
  spec.paper = "Ruiz et al. 2023, DreamBooth, arXiv:2208.12242";
  spec.options = all_options();
  spec.presets = presets();
  spec.stages = {stage()};
  spec.phrases = {{.when = {}, .text = "{placeholder} {class}", .base = "{class}"}};
  spec.sampler = sampler();
  spec.arguments = published_arguments();
  return spec;
}

}  // namespace atelier::dreambooth
