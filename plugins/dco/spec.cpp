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

OptionSpec make(const char* name, OptionType type, Json value, const char* help, const char* source) {
  OptionSpec option;
  option.name = name;
  option.type = type;
  option.value = std::move(value);
  option.help = help;
  option.source = source;
  return option;
}

OptionSpec choice(const char* name, const char* value, std::vector<std::string> choices, const char* help,
                  const char* source) {
  OptionSpec option = make(name, OptionType::choice, value, help, source);
  option.choices = std::move(choices);
  return option;
}

OptionSpec number(const char* name, OptionType type, Json value, double low, const char* help, const char* source) {
  OptionSpec option = make(name, type, std::move(value), help, source);
  option.low = low;
  return option;
}

OptionSpec for_subjects(OptionSpec option) {
  option.active_when = {of_subject()};
  return option;
}

std::vector<OptionSpec> token_options() {
  OptionSpec norm =
      choice("random_norm", "std", {"std", "own"},
             "what a token that starts at random is brought to after each step: the table's standard deviation (a norm "
             "about √D smaller), or its own first norm",
             kScript);
  norm.active_when = {of_subject(), {.option = "initializer_token", .value = ""}};
  return {
      for_subjects(make("placeholder_token", OptionType::text, "<dco>",
                        "the new token, which stands for the class noun: a word that is new to the vocabulary", kOurs)),
      for_subjects(make("initializer_token", OptionType::text, nullptr,
                        "a word of one token whose row the new one starts from; unset: the concept's initializer or "
                        "class word; \"\": at random",
                        "published configuration, initializer_tokens")),
      norm,
      for_subjects(choice("ti_update", "trained", {"trained", "frozen", "official"},
                          "whether the token learns; official: only in float32, as the published script does it",
                          "ours: the published command freezes it by a fault, against its description")),
      for_subjects(choice("pool", "argmax", {"argmax", "eos"},
                          "where SDXL's pooled text is read: at the new token (the largest id), or at the end token",
                          kScript)),
      for_subjects(number("text_encoder_lr", OptionType::real, 5e-6, 0.0,
                          "learning rate of the token; 0: that of the adapters", kCommand)),
      for_subjects(number("adam_weight_decay_text_encoder", OptionType::real, nullptr, 0.0,
                          "weight decay of the token; unset or 0: that of the adapters", kScript)),
  };
}

std::vector<OptionSpec> loss_options() {
  return {
      make("dcoloss_beta", OptionType::real, 1000.0,
           "temperature of the DCO loss; 0 or less: the plain noise-prediction loss, without reference", kCommand),
      choice("sigmoid_reduction", "batch_mean", {"batch_mean", "per_sample"},
             "the sigmoid of the batch's mean difference, or the mean of each row's own", kScript),
      number("snr_gamma", OptionType::real, nullptr, 1e-6, "gamma of the min-SNR weights; unset: none", kScript),
      number("offset_noise", OptionType::real, 0.0, 0.0, "share of a noise that is one number a channel", kCommand),
  };
}

std::vector<OptionSpec> data_options() {
  return {
      make("instance_prompt", OptionType::text, "a photo of {}", "caption of photos that bring none of their own",
           kOurs),
      number("resolution", OptionType::integer, 1024, 8, "side of the training pictures in pixels", kCommand),
      make("center_crop", OptionType::boolean, false, "cut pictures at their centre instead of at random", kScript),
      gradient_checkpointing_option(kScript),
  };
}

std::vector<OptionSpec> all_options() {
  std::vector<OptionSpec> all{
      choice("recipe", kSubjectStage, {kSubjectStage, kStyleStage},
             "subject: a new token learns beside the adapters; style: adapters alone, captions name the style in words",
             kCommand),
      number("rank", OptionType::integer, 32, 1, "rank of the low-rank updates, and their alpha", kCommand),
      number(kSteps, OptionType::integer, 2000, 0, "optimizer steps", kCommand)};
  const auto append = [&](const std::vector<OptionSpec>& more) { all.insert(all.end(), more.begin(), more.end()); };
  append(token_options());
  append(loss_options());
  append(data_options());
  for (const char* stage : {kSubjectStage, kStyleStage}) {
    append(stage_options(stage,
                         {.learning_rate = 5e-5, .max_grad_norm = 1.0, .adam_weight_decay = 1e-4, .source = kScript}));
  }
  return all;
}

StageSpec stage(const std::string& name) {
  StageSpec stage;
  stage.name = name;
  stage.reads = {"rank",       "dcoloss_beta", "sigmoid_reduction",   "snr_gamma", "offset_noise", "instance_prompt",
                 "resolution", "center_crop",  kGradientCheckpointing};
  std::vector<std::string> more = stage_option_names(name);
  if (name == kSubjectStage) {
    for (const auto& option : token_options()) more.push_back(option.name);
  }
  stage.reads.insert(stage.reads.end(), more.begin(), more.end());
  stage.runs_when = {{.option = "recipe", .value = name}};
  stage.steps = {.add = {kSteps}, .subtract = {}};
  declare_schedules(stage);
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
