#include "plugins/dreambooth_lora/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::dreambooth_lora {
namespace {

constexpr const char* kScript = "diffusers' train_dreambooth_lora.py";
constexpr const char* kScriptXL = "diffusers' train_dreambooth_lora_sdxl.py";
constexpr const char* kCommand = "diffusers' README, the command for LoRA with an image of a dog";

Condition with_prior() { return {.option = "with_prior_preservation", .value = true}; }
Condition with_text() { return {.option = "train_text_encoder", .value = true}; }
Condition with_token() { return {.option = "learn_token", .value = true}; }

OptionSpec make(const char* name, OptionType type, Json value, const char* help, std::string source) {
  OptionSpec option;
  option.name = name;
  option.type = type;
  option.value = std::move(value);
  option.help = help;
  option.source = std::move(source);
  return option;
}

OptionSpec from(double low, OptionSpec option) {
  option.low = low;
  return option;
}

OptionSpec where(Condition condition, OptionSpec option) {
  option.active_when = {std::move(condition)};
  return option;
}

std::vector<OptionSpec> prompt_options() {
  return {
      make("placeholder_token", OptionType::text, "sks",
           "the identifier: a rare word of the vocabulary or, with learn_token, a new one", kCommand),
      make("instance_prompt", OptionType::text, "a photo of {}",
           "caption of the photos; {} is identifier and class word", kCommand),
      where(with_prior(), make("class_prompt", OptionType::text, "a photo of {}",
                               "caption of the images of the class without one of their own; {} is the class word",
                               "diffusers' README of DreamBooth")),
      make("learn_token", OptionType::boolean, false, "the identifier is a new token whose vector learns too",
           "ours; the scripts keep every row of the table"),
      where(with_token(), make("initializer_token", OptionType::text, nullptr,
                               "a word of one token whose row that vector starts from; unset: the concept's "
                               "initializer or class word",
                               "ours")),
      where(with_token(), from(0.0, make("lora.token_lr", OptionType::real, 5e-4, "its learning rate, never scaled",
                                         "ours; diffusers' textual_inversion.py before scaling"))),
  };
}

std::vector<OptionSpec> adapter_options() {
  return {
      from(1, make("rank", OptionType::integer, 4, "rank of the low-rank updates", kScript)),
      from(0.0, make("lora_alpha", OptionType::real, nullptr,
                     "the updates are multiplied by lora_alpha / rank; unset: the rank", kScript)),
      make("target_modules", OptionType::text, "to_q,to_k,to_v,to_out.0",
           "layers of the UNet that get an update: ends of their names, separated by commas", kScript),
      make("train_text_encoder", OptionType::boolean, false, "the text encoders get updates too", kScript),
      where(with_text(), make("text_target_modules", OptionType::text, "q_proj,k_proj,v_proj,out_proj",
                              "which of their layers", kScript)),
      where(with_text(), from(0.0, make("lora.text_encoder_lr", OptionType::real, nullptr,
                                        "their learning rate, never scaled; unset: lora.learning_rate as scaled",
                                        std::string(kScript) + "; 5e-6 in the script for SDXL"))),
      where(with_text(), from(0.0, make("lora.adam_weight_decay_text_encoder", OptionType::real, nullptr,
                                        "their weight decay; unset: lora.adam_weight_decay",
                                        std::string(kScript) + "; 1e-3 in the script for SDXL"))),
  };
}

std::vector<OptionSpec> loss_options() {
  return {
      make("with_prior_preservation", OptionType::boolean, false, "add the loss of images of the class", kScript),
      class_images_option(with_prior()),
      where(with_prior(), from(0.0, make("prior_loss_weight", OptionType::real, 1.0, "its weight", kScript))),
      where(with_prior(), from(1, make("num_class_images", OptionType::integer, 100,
                                       "images of the class that are drawn from the base model where the concept has "
                                       "none",
                                       kScript))),
      from(0.0, make("snr_gamma", OptionType::real, nullptr,
                     "weigh each photo's loss by min(SNR, gamma) / SNR (+ 1 where the base predicts the velocity)",
                     kScriptXL)),
  };
}

std::vector<OptionSpec> data_options() {
  OptionSpec filter = make("image_interpolation_mode", OptionType::choice, "lanczos", "filter of the resize", kScript);
  filter.choices = {"lanczos", "bilinear", "bicubic", "nearest", "box"};
  return {
      from(8, make("resolution", OptionType::integer, 512, "side of the training pictures in pixels", kCommand)),
      make("center_crop", OptionType::boolean, false, "cut the centre instead of a random place", kScript),
      make("random_flip", OptionType::boolean, false, "mirror half of the pictures", kScriptXL),
      std::move(filter),
      from(1, make("repeats", OptionType::integer, 1, "how many times an epoch holds each photo", kScriptXL)),
      gradient_checkpointing_option(kScript),
  };
}

std::vector<OptionSpec> all_options() {
  std::vector<OptionSpec> all;
  const auto append = [&](std::vector<OptionSpec> more) {
    for (auto& option : more) all.push_back(std::move(option));
  };
  append(prompt_options());
  append(adapter_options());
  append(loss_options());
  append(data_options());
  append(stage_options(kStage, {.learning_rate = 1e-4, .max_grad_norm = 1.0, .source = kCommand}));
  append({from(0, make(kSteps, OptionType::integer, 500, "optimizer steps", kCommand))});
  return all;
}

StageSpec stage() {
  StageSpec stage;
  stage.name = kStage;
  stage.reads = {"placeholder_token",
                 "instance_prompt",
                 "learn_token",
                 "rank",
                 "lora_alpha",
                 "target_modules",
                 "train_text_encoder",
                 "snr_gamma",
                 "resolution",
                 "center_crop",
                 "random_flip",
                 "with_prior_preservation",
                 "repeats",
                 "image_interpolation_mode",
                 kGradientCheckpointing};
  for (const auto& name : stage_option_names(kStage)) stage.reads.push_back(name);
  stage.reads_when = {
      {.when = with_prior(), .options = {"class_prompt", "prior_loss_weight"}},
      {.when = with_text(),
       .options = {"text_target_modules", "lora.text_encoder_lr", "lora.adam_weight_decay_text_encoder"}},
      {.when = with_token(), .options = {"initializer_token", "lora.token_lr"}}};
  stage.steps.add = {kSteps};
  declare_schedules(stage);
  stage.class_images_when = {with_prior()};
  return stage;
}

Json pocket() {
  return {{"placeholder_token", "cool"},  // a word that no caption of the pocket world has
          {"instance_prompt", "a photo of a {}"}, {"resolution", 64},           {"lora.learning_rate", 2e-3},
          {"lora.lr_scheduler", "cosine"},        {"lora.train_batch_size", 4}, {kSteps, 200}};
}

std::vector<PresetSpec> presets() {
  return {
      {.name = "diffusers",
       .help = "the command in diffusers' README, for Stable Diffusion",
       .options = Json::object()},
      {.name = "diffusers_text_encoder",
       .help = "the same with updates of the text encoder",
       .options = {{"train_text_encoder", true}}},
      {.name = "script",
       .help = "the defaults of the program's arguments; it has none for the number of steps",
       .options = {{"lora.learning_rate", 5e-4}, {"lora.train_batch_size", 4}, {"lora.lr_warmup_steps", 500}}},
      {.name = "sdxl",
       .help = "the command in diffusers' README for SDXL",
       .options = {{"resolution", 1024},
                   {"lora.gradient_accumulation_steps", 4},
                   {"lora.adam_weight_decay", 1e-4},
                   {"lora.adam_weight_decay_text_encoder", 1e-3},
                   {"lora.text_encoder_lr", 5e-6}}},
      {.name = "pocket", .help = "for the pocket world", .options = pocket()},
  };
}

}  // namespace

MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = "dreambooth_lora";
  spec.summary = "DreamBooth with low-rank updates of the attention layers; a rare word names the concept";
  spec.paper = "Ruiz et al. 2023, DreamBooth, arXiv:2208.12242; Hu et al. 2022, LoRA, arXiv:2106.09685";
  spec.options = all_options();
  spec.presets = presets();
  spec.stages = {stage()};
  spec.phrases = {{.when = {}, .text = "{placeholder} {class}", .base = "{class}"}};
  spec.sampler = {.scheduler = "pndm", .steps = 25, .guidance = 7.5, .settings = Json::object()};
  spec.arguments = published_arguments();
  return spec;
}

}  // namespace atelier::dreambooth_lora
