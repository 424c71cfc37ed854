#include "plugins/textreg/settings.h"

#include "framework/core/error.h"
#include "framework/methods/prompts.h"
#include "framework/methods/stage_settings.h"
#include "plugins/textreg/spec.h"

namespace atelier::textreg {
namespace {

/// Every access to a photo makes another picture: shorter side to the resolution, centre crop, jitter, flip.
DataSpec data_spec(const Options& options) {
  DataSpec data;
  data.recipe.transform = {.size = static_cast<int>(options.integer("resolution")),
                           .method = ResizeMethod::pil_bilinear};
  data.recipe.flip_probability = 0.5;
  data.recipe.brightness = 0.2;
  data.recipe.contrast = 0.1;
  data.recipe.exif = ExifRule::ignore;
  data.repeats = 20;
  data.drop_last = false;
  data.cache_latents = options.integer("cache_latents");
  return data;
}

/// Optimizer steps of the stage.
std::int64_t total_steps(const Options& options, const std::string& stage) {
  const auto first = options.integer("ti_train_step");
  return stage == kTokenStage ? first : options.integer("max_train_steps") - first;
}

/// The published program divides the loss by the accumulation steps, but steps after every batch. Its schedules are
/// that many times longer than the stage.
TrainSpec train_spec(const Options& options, const std::string& stage) {
  TrainSpec train = read_train_spec(options, stage);
  const auto accumulation = train.accumulation;
  train.loss_divisor = static_cast<double>(accumulation);
  train.accumulation = 1;
  train.lr_warmup_steps *= accumulation;
  if (!train.lr_scheduler.starts_with("constant")) train.lr_total_steps = total_steps(options, stage) * accumulation;
  train.cast_alphas = options.flag("cast_alphas");
  return train;
}

void refuse_mask_without_class_words(const Settings& settings) {
  if (!settings.from_class || !settings.mask.enabled) return;
  throw Error({.where = "init_placeholder_as_class",
               .found = "the identifier mask, in prompts that then hold no class words",
               .expected = "one of the two",
               .advice = "set mask_identifier_causal_attention to false"},
              ErrorKind::usage);
}

}  // namespace

Settings Settings::read(const std::string& stage, const Options& options, const Concept& subject,
                        const PromptLists& lists) {
  Settings settings;
  settings.placeholder = options.text("placeholder_token");
  settings.class_word = subject.class_word;
  settings.style = options.text("learnable_property") == "style";
  settings.from_class = options.flag("init_placeholder_as_class");
  settings.initializer_id = options.integer("initializer_id");
  settings.phrase = settings.from_class ? settings.placeholder : settings.placeholder + " " + settings.class_word;
  settings.carry_gradients = options.flag("carry_ti_grads");
  settings.mask = {.enabled = options.flag("mask_identifier_causal_attention"),
                   .ratio = options.real("mask_identifier_ratio"),
                   .last_only = options.flag("mask_batch_bug")};
  if (stage != kTokenStage || settings.carry_gradients)
    settings.lora = {.rank = options.integer("lora_rank"),
                     .layers = options.text("filter_crossattn_str"),
                     .text = options.flag("train_text_encoder")};
  settings.data = data_spec(options);
  settings.train = train_spec(options, stage);
  settings.learning_rate = read_learning_rate(options, stage);
  settings.weight_decay = read_weight_decay(options, stage);
  settings.lists = lists;
  refuse_mask_without_class_words(settings);
  return settings;
}

const std::vector<std::string>& prompts_of(const PromptLists& lists, const std::string& id) {
  const auto found = lists.find(id);
  if (found != lists.end() && !found->second.empty()) return found->second;
  throw Error({.where = "prompt list " + id,
               .found = found == lists.end() ? "no such list" : "an empty list",
               .expected = "the prompts that textreg draws from"});
}

std::string draw_prompt(const Settings& settings, const std::string& id, const std::string& phrase,
                        const std::string& name, Draws& draws) {
  const auto& prompts = prompts_of(settings.lists, id);
  const auto chosen = draws.below(name, static_cast<std::int64_t>(prompts.size()));
  return with_phrase(prompts[static_cast<std::size_t>(chosen)], phrase);
}

}  // namespace atelier::textreg
