#include "framework/pretraining/base_recipe.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "framework/config/yaml.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/training/lr_schedule.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMost = 100'000'000;
constexpr std::array<std::string_view, 5> kNames{"vae", "clip", "unet", "segmenter", "judge"};

std::vector<std::string> top_keys(std::optional<BaseComponent> component) {
  std::vector<std::string> keys{"component", "model", "scenes", "train", "objective"};
  if (component == BaseComponent::clip) keys.emplace_back("tokenizer");
  if (component == BaseComponent::unet) keys.insert(keys.end(), {"inputs", "scheduler"});
  if (component == BaseComponent::segmenter) keys.emplace_back("inputs");
  return keys;
}

/// One mapping of the recipe, read into the struct that it fills.
class Section {
 public:
  Section(const YamlNode& node, std::string path, const std::vector<std::string>& keys, Faults& faults)
      : node_(node), map_(node, std::move(path), keys, faults), faults_(faults) {}

  void text(const char* key, std::string& into, bool needed = false) {
    if (const YamlNode* node = find(key, needed)) into = yaml_text(*node, map_.path(key), faults_).value_or(into);
  }
  void integer(const char* key, std::int64_t low, std::int64_t& into, bool needed = false) {
    const YamlNode* node = find(key, needed);
    if (node != nullptr) into = yaml_integer(*node, map_.path(key), low, kMost, faults_).value_or(into);
  }
  /// At least `low`; below `limit` where there is one.
  void number(const char* key, double low, double& into, std::optional<double> limit = {}, bool needed = false) {
    const YamlNode* node = find(key, needed);
    if (node == nullptr) return;
    const auto value = yaml_number(*node, map_.path(key), low, faults_);
    if (value && limit && *value >= *limit) {
      faults_.add(node->at, fmt::format("{}: {}", map_.path(key), *value), fmt::format("a number below {}", *limit));
    }
    into = value.value_or(into);
  }
  [[nodiscard]] const YamlNode* find(const char* key, bool needed) {
    const YamlNode* node = map_.get(key);
    if (node == nullptr && needed) faults_.add(node_.at, fmt::format("no key \"{}\"", map_.path(key)), "the key");
    return node;
  }

 private:
  const YamlNode& node_;
  YamlMap map_;
  Faults& faults_;
};

void read_train(const YamlNode& node, BaseRecipe& recipe, Faults& faults) {
  Section train(node, "train",
                {"steps", "batch", "learning_rate", "lr_scheduler", "lr_warmup_steps", "adam_beta1", "adam_beta2",
                 "adam_epsilon", "adam_weight_decay", "max_grad_norm", "ema_decay", "seed", "snapshot_every"},
                faults);
  train.integer("steps", 1, recipe.steps, true);
  train.integer("batch", 1, recipe.train.batch, true);
  train.number("learning_rate", 0.0, recipe.learning_rate, {}, true);
  train.text("lr_scheduler", recipe.train.lr_scheduler);
  train.integer("lr_warmup_steps", 0, recipe.train.lr_warmup_steps);
  train.number("adam_beta1", 0.0, recipe.train.beta1, 1.0);
  train.number("adam_beta2", 0.0, recipe.train.beta2, 1.0);
  train.number("adam_epsilon", 0.0, recipe.train.epsilon);
  train.number("adam_weight_decay", 0.0, recipe.weight_decay);
  train.number("max_grad_norm", 0.0, recipe.train.max_grad_norm);
  train.number("ema_decay", 0.0, recipe.ema_decay, 1.0);
  std::int64_t seed = 0;
  train.integer("seed", 0, seed);
  recipe.seed = static_cast<std::uint64_t>(seed);
  train.integer("snapshot_every", 1, recipe.snapshot_every);
}

void read_objective(const YamlNode& node, BaseRecipe& recipe, Faults& faults) {
  const std::string path = "objective";
  switch (recipe.component) {
    case BaseComponent::vae: {
      Section section(node, path, {"l1_weight", "l2_weight", "gradient_weight", "kl_weight"}, faults);
      section.number("l1_weight", 0.0, recipe.vae.l1);
      section.number("l2_weight", 0.0, recipe.vae.l2);
      section.number("gradient_weight", 0.0, recipe.vae.gradient);
      section.number("kl_weight", 0.0, recipe.vae.kl);
      return;
    }
    case BaseComponent::clip: {
      Section section(node, path, {"instance_weight", "caption_weight", "initial_logit_scale", "shift"}, faults);
      section.number("instance_weight", 0.0, recipe.clip.instance);
      section.number("caption_weight", 0.0, recipe.clip.caption);
      section.number("initial_logit_scale", 0.0, recipe.clip.initial_logit_scale);
      section.integer("shift", 0, recipe.clip.shift);
      return;
    }
    case BaseComponent::unet: {
      Section section(node, path, {"snr_gamma", "empty_caption"}, faults);
      section.number("snr_gamma", 0.0, recipe.unet.snr_gamma);
      section.number("empty_caption", 0.0, recipe.unet.empty_caption, 1.0);
      return;
    }
    case BaseComponent::segmenter: {
      Section section(node, path, {"negative"}, faults);
      section.number("negative", 0.0, recipe.segmenter.negative, 1.0);
      return;
    }
    case BaseComponent::judge: {
      Section section(node, path, {"shift"}, faults);
      section.integer("shift", 0, recipe.judge.shift);
      return;
    }
  }
}

void read_inputs(const YamlNode& node, BaseRecipe& recipe, Faults& faults) {
  const bool unet = recipe.component == BaseComponent::unet;
  Section inputs(node, "inputs", {unet ? "base" : "clip"}, faults);
  if (unet) {
    inputs.text("base", recipe.base_input);
  } else {
    inputs.text("clip", recipe.clip_input);
  }
}

/// The component must be known before the other keys can be judged.
std::optional<BaseComponent> read_component(const YamlNode& root, Faults& faults) {
  const YamlEntry* entry = root.find("component");
  if (entry == nullptr) {
    faults.add(root.at, "no key \"component\"", fmt::format("one of {}", fmt::join(kNames, ", ")));
    return {};
  }
  const auto name = yaml_text(entry->value, "component", faults);
  if (!name) return {};
  const auto found = std::ranges::find(kNames, *name);
  if (found != kNames.end()) return static_cast<BaseComponent>(found - kNames.begin());
  add_unknown(entry->value.at, "component", *name, {kNames.begin(), kNames.end()}, faults);
  return {};
}

void read_root(const YamlNode& root, BaseRecipe& recipe, Faults& faults) {
  const auto component = read_component(root, faults);
  if (!component) return;
  recipe.component = *component;
  Section section(root, "", top_keys(component), faults);
  section.text("model", recipe.model_path, true);
  section.text("scenes", recipe.scenes, true);
  section.text("tokenizer", recipe.tokenizer, component == BaseComponent::clip);
  section.text("scheduler", recipe.scheduler, component == BaseComponent::unet);
  if (const YamlNode* train = section.find("train", true)) read_train(*train, recipe, faults);
  if (const YamlNode* objective = section.find("objective", false)) read_objective(*objective, recipe, faults);
  if (const YamlNode* inputs = section.find("inputs", false)) read_inputs(*inputs, recipe, faults);
}

}  // namespace

std::string_view component_name(BaseComponent component) { return kNames[static_cast<std::size_t>(component)]; }

fs::path BaseRecipe::beside(const std::string& name) const { return path.parent_path() / name; }

Json BaseRecipe::resolved() const {
  return {{"component", component_name(component)},
          {"model", model},
          {"scenes", scenes},
          {"steps", steps},
          {"learning_rate", learning_rate},
          {"weight_decay", weight_decay},
          {"ema_decay", ema_decay},
          {"seed", seed},
          {"batch", train.batch},
          {"adam", {train.beta1, train.beta2, train.epsilon}},
          {"max_grad_norm", train.max_grad_norm},
          {"lr_scheduler", train.lr_scheduler},
          {"lr_warmup_steps", train.lr_warmup_steps},
          {"vae", {vae.l1, vae.l2, vae.gradient, vae.kl}},
          {"clip", {clip.instance, clip.caption, clip.initial_logit_scale, clip.shift}},
          {"unet", {unet.snr_gamma, unet.empty_caption}},
          {"segmenter", segmenter.negative},
          {"judge", judge.shift}};
}

BaseRecipe read_base_recipe(const fs::path& path, std::optional<std::int64_t> steps) {
  BaseRecipe recipe;
  recipe.path = path;
  recipe.train.max_grad_norm = 1.0;
  Faults faults(path.string());
  const YamlNode root = parse_yaml(read_text_file(path), faults);
  read_root(root, recipe, faults);
  faults.raise();
  recipe.steps = steps.value_or(recipe.steps);
  recipe.train.lr_total_steps = recipe.steps;
  static_cast<void>(LRSchedule(recipe.train));  // refuses names that it does not know
  recipe.model = read_json_file(recipe.beside(recipe.model_path));
  if (recipe.model.is_object()) return recipe;
  throw Error({.where = recipe.beside(recipe.model_path).string(),
               .found = "no object",
               .expected = "the configuration of a model"});
}

}  // namespace atelier
