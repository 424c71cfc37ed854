#include "plugins/dco/spec.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/methods/stage_settings.h"

namespace atelier::dco {
namespace {

constexpr const char* kCommand = "published command for subjects";
constexpr const char* kScript = "published script";
constexpr const char* kOurs = "ours";

// A function: a plugin has no static objects.
Condition of_subject() { return {.option = "recipe", .value = kSubjectStage}; }

std::vector<OptionSpec> token_options() {
  auto norm = choice_option("random_norm", "std", {"std", "own"},
                            "what a token that starts at random is brought to after each step: the table's standard "
                            "deviation (a norm about √D smaller), or its own first norm",
                            kScript);
  auto options = only_when(
      of_subject(),
      std::vector<OptionSpec>{
          text_option("placeholder_token", "<dco>",
                      "the new token, which stands for the class noun: a word that is new to the vocabulary", kOurs),
          text_option(
              "initializer_token", nullptr,
              "a word of one token whose row the new one starts from; unset: the concept's initializer or class "
              "word; \"\": at random",
              "published configuration, initializer_tokens"),
          std::move(norm),
          choice_option("ti_update", "trained", {"trained", "frozen", "official"},
                        "whether the token learns; official: only in float32, as the published script does it",
                        "ours: the published command freezes it by a fault, against its description"),
          choice_option("pool", "argmax", {"argmax", "eos"},
                        "where SDXL's pooled text is read: at the new token (the largest id), or at the end token",
                        kScript),
          real_option("text_encoder_lr", 5e-6, {.low = 0.0}, "learning rate of the token; 0: that of the adapters",
                      kCommand),
          real_option("adam_weight_decay_text_encoder", nullptr, {.low = 0.0},
                      "weight decay of the token; unset or 0: that of the adapters", kScript),
      });
  options[2].active_when.push_back({.option = "initializer_token", .value = ""});
  return options;
}

std::vector<OptionSpec> loss_options() {
  return {
      real_option("dcoloss_beta", 1000.0, {},
                  "temperature of the DCO loss; 0 or less: the plain noise-prediction loss, without reference",
                  kCommand),
      choice_option("sigmoid_reduction", "batch_mean", {"batch_mean", "per_sample"},
                    "the sigmoid of the batch's mean difference, or the mean of each row's own", kScript),
      real_option("snr_gamma", nullptr, {.low = 1e-6}, "gamma of the min-SNR weights; unset: none", kScript),
      real_option("offset_noise", 0.0, {.low = 0.0}, "share of a noise that is one number a channel", kCommand),
  };
}

std::vector<OptionSpec> data_options() {
  return {
      text_option("instance_prompt", "a photo of {}", "caption of photos that bring none of their own", kOurs),
      resolution_option(1024, kCommand),
      flag_option("center_crop", false, "cut pictures at their centre instead of at random", kScript),
      gradient_checkpointing_option(kScript),
  };
}

std::vector<OptionSpec> optimizer_options(const char* stage) {
  return stage_options(stage,
                       {.learning_rate = 5e-5, .max_grad_norm = 1.0, .adam_weight_decay = 1e-4, .source = kScript});
}

std::vector<OptionSpec> all_options() {
  return joined(
      {{choice_option("recipe", kSubjectStage, {kSubjectStage, kStyleStage},
                      "subject: a new token learns beside the adapters; style: adapters alone, captions name the style "
                      "in words",
                      kCommand),
        integer_option("rank", 32, {.low = 1}, "rank of the low-rank updates, and their alpha", kCommand),
        integer_option(kSteps, 2000, {.low = 0}, "optimizer steps", kCommand)},
       token_options(),
       loss_options(),
       data_options(),
       optimizer_options(kSubjectStage),
       optimizer_options(kStyleStage)});
}

StageSpec stage(const std::string& name) {
  auto reads = names_of(joined({loss_options(), data_options()}));
  reads.emplace_back("rank");
  if (name == kSubjectStage) {
    for (auto& option : names_of(token_options())) reads.push_back(std::move(option));
  }
  auto stage = trained_stage(name, std::move(reads), kSteps);
  stage.runs_when = {{.option = "recipe", .value = name}};
  return stage;
}

std::vector<PresetSpec> presets() {
  return {
      {.name = "subject", .help = "the published command for subjects", .options = Json::object()},
      {.name = "style",
       .help = "the published command for styles",
       .options = {{"recipe", kStyleStage}, {"rank", 64}, {kSteps, 1000}, {"offset_noise", 0.1}}},
      {.name = "official",
       .help = "subject with the fault of its program: the token learns in float32 alone",
       .options = {{"ti_update", "official"}}},
      {.name = "pocket",
       .help = "for the pocket world: small pictures, few steps, higher rates (chosen on two concepts and one seed)",
       .options = {{"resolution", 64},
                   {"rank", 8},
                   {kSteps, 400},
                   {"text_encoder_lr", 2e-3},
                   {"subject.learning_rate", 1e-3},
                   {"subject.lr_scheduler", "cosine"},
                   {"subject.train_batch_size", 4},
                   {"sigmoid_reduction", "per_sample"}}}};
}

}  // namespace

MethodSpec make_spec() {
  MethodSpec spec;
  spec.name = "dco";
  spec.summary = "LoRA, and a token, that have to beat the base model's own prediction";
  spec.paper = "Lee et al. 2024, Direct Consistency Optimization, arXiv:2402.12004";
  spec.options = all_options();
  spec.presets = presets();
  spec.stages = {stage(kSubjectStage), stage(kStyleStage)};
  spec.phrases = {{.when = {of_subject()}, .text = "{placeholder}", .base = "{class}"},
                  {.when = {}, .text = "{class}", .base = "{class}"}};
  spec.sampler = {.scheduler = "euler",
                  .steps = 50,
                  .guidance = 7.5,
                  .reward_guidance = 3.0,
                  .settings = {{"timestep_spacing", "leading"}, {"steps_offset", 1}}};
  spec.arguments = published_arguments();
  return spec;
}

}  // namespace atelier::dco
