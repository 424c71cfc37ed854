#include "plugins/dreambooth_lora/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::dreambooth_lora {
namespace {

constexpr const char* kScript = "diffusers' train_dreambooth_lora.py";
constexpr const char* kScriptXL = "diffusers' train_dreambooth_lora_sdxl.py";
constexpr const char* kCommand = "diffusers' README, the command for LoRA with an image of a dog";

Condition with_text() { return {.option = "train_text_encoder", .value = true}; }
Condition with_token() { return {.option = "learn_token", .value = true}; }

std::vector<OptionSpec> prompt_options() {
  return {
      text_option("placeholder_token", "sks",
                  "the identifier: a rare word of the vocabulary or, with learn_token, a new one", kCommand),
      text_option("instance_prompt", "a photo of {}", "caption of the photos; {} is identifier and class word",
                  kCommand),
      only_when(with_prior(),
                text_option("class_prompt", "a photo of {}",
                            "caption of the images of the class without one of their own; {} is the class "
                            "word",
                            "diffusers' README of DreamBooth")),
      flag_option("learn_token", false, "the identifier is a new token whose vector learns too",
                  "ours; the scripts keep every row of the table"),
      only_when(with_token(), text_option("initializer_token", nullptr,
                                          "a word of one token whose row that vector starts from; unset: the concept's "
                                          "initializer or class word",
                                          "ours")),
      only_when(with_token(), real_option("lora.token_lr", 5e-4, {.low = 0.0}, "its learning rate, never scaled",
                                          "ours; diffusers' textual_inversion.py before scaling")),
  };
}

std::vector<OptionSpec> text_encoder_options() {
  const std::string script = kScript;
  return only_when(
      with_text(),
      std::vector<OptionSpec>{
          text_option("text_target_modules", "q_proj,k_proj,v_proj,out_proj", "which of their layers", script),
          real_option("lora.text_encoder_lr", nullptr, {.low = 0.0},
                      "their learning rate, never scaled; unset: lora.learning_rate as scaled",
                      script + "; 5e-6 in the script for SDXL"),
          real_option("lora.adam_weight_decay_text_encoder", nullptr, {.low = 0.0},
                      "their weight decay; unset: lora.adam_weight_decay", script + "; 1e-3 in the script for SDXL"),
      });
}

std::vector<OptionSpec> adapter_options() {
  return joined(
      {{integer_option("rank", 4, {.low = 1}, "rank of the low-rank updates", kScript),
        real_option("lora_alpha", nullptr, {.low = 0.0},
                    "the updates are multiplied by lora_alpha / rank; unset: the rank", kScript),
        text_option("target_modules", "to_q,to_k,to_v,to_out.0",
                    "layers of the UNet that get an update: ends of their names, separated by commas", kScript),
        flag_option("train_text_encoder", false, "the text encoders get updates too", kScript)},
       text_encoder_options()});
}

std::vector<OptionSpec> loss_options() {
  return joined(
      {prior_options(kScript),
       {class_images_option(with_prior()),
        only_when(with_prior(),
                  integer_option("num_class_images", 100, {.low = 1},
                                 "images of the class that are drawn from the base model where the concept has "
                                 "none",
                                 kScript)),
        real_option("snr_gamma", nullptr, {.low = 0.0},
                    "weigh each photo's loss by min(SNR, gamma) / SNR (+ 1 where the base predicts the velocity)",
                    kScriptXL)}});
}

std::vector<OptionSpec> data_options() {
  return {
      resolution_option(512, kCommand),
      flag_option("center_crop", false, "cut the centre instead of a random place", kScript),
      flag_option("random_flip", false, "mirror half of the pictures", kScriptXL),
      choice_option("image_interpolation_mode", "lanczos", {"lanczos", "bilinear", "bicubic", "nearest", "box"},
                    "filter of the resize", kScript),
      integer_option("repeats", 1, {.low = 1}, "how many times an epoch holds each photo", kScriptXL),
      micro_conditioning_option(std::string("ours; ") + kScriptXL + " tells the photo's"),
      gradient_checkpointing_option(kScript),
  };
}

std::vector<OptionSpec> all_options() {
  return joined({prompt_options(),
                 adapter_options(),
                 loss_options(),
                 data_options(),
                 stage_options(kStage, {.learning_rate = 1e-4, .max_grad_norm = 1.0, .source = kCommand}),
                 {integer_option(kSteps, 500, {.low = 0}, "optimizer steps", kCommand)}});
}

StageSpec stage() {
  auto stage =
      trained_stage(kStage,
                    {"placeholder_token", "instance_prompt", "learn_token", "rank", "lora_alpha", "target_modules",
                     "train_text_encoder", "snr_gamma", "resolution", "center_crop", "random_flip",
                     "with_prior_preservation", "repeats", "image_interpolation_mode", kGradientCheckpointing},
                    kSteps);
  const std::vector<ConditionalReads> more{
      {.when = with_prior(), .options = {"class_prompt", "prior_loss_weight"}},
      {.when = with_text(),
       .options = {"text_target_modules", "lora.text_encoder_lr", "lora.adam_weight_decay_text_encoder"}},
      {.when = with_token(), .options = {"initializer_token", "lora.token_lr"}},
      micro_conditioning_reads()};
  stage.reads_when.insert(stage.reads_when.end(), more.begin(), more.end());
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
                   {"micro_conditioning", "photo"},
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
