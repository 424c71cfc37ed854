// How pictures are sampled: for all methods, and for one.
#include <fmt/format.h>

#include <algorithm>

#include "framework/config/study_parts.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

const YamlNode* member(const YamlNode* node, std::string_view key) {
  const auto* entry = node == nullptr ? nullptr : node->find(key);
  return entry == nullptr ? nullptr : &entry->value;
}

/// Holds the settings of a sampler against the schedulers that will be given them.
class SettingsCheck {
 public:
  SettingsCheck(const Known& known, Faults& faults) : known_(known), faults_(faults) {}

  /// `node`: the mapping `settings`, at `path`.
  void check(const YamlNode& node, const std::string& path, const std::vector<std::string>& schedulers) {
    for (const auto& entry : node.entries) {
      for (const auto& scheduler : schedulers) {
        if (!fits(entry, path, scheduler)) break;
      }
    }
  }

 private:
  /// Adds the fault of the first scheduler that does not take the entry.
  bool fits(const YamlEntry& entry, const std::string& path, const std::string& scheduler) {
    const auto options = known_.scheduler_settings(scheduler);
    const auto option = std::ranges::find(options, entry.key, &OptionSpec::name);
    if (option == options.end()) {
      std::vector<std::string> names;
      for (const auto& each : options) names.push_back(each.name);
      add_unknown(entry.at, fmt::format("{}: {} has no setting", path, scheduler), entry.key, names, faults_);
      return false;
    }
    try {
      // The value goes to the scheduler as it is written, and 2.0 is no integer there.
      const auto value = yaml_json(entry.value);
      const auto typed = check_value(*option, value, "");
      if (option->type != OptionType::integer || value.is_number_integer()) return true;
      faults_.add(entry.value.at, fmt::format("{}: {}: {}", path, entry.key, entry.value.text),
                  describe_values(*option), fmt::format("write {}", typed.dump()));
      return false;
    } catch (const Error& error) {
      const auto advice = yaml_advice(entry.value);
      faults_.add(entry.value.at, fmt::format("{}: {}", path, error.fault().found), error.fault().expected,
                  advice.empty() ? error.fault().advice : advice);
      return false;
    }
  }

  const Known& known_;
  Faults& faults_;
};

/// Who samples with the common settings: methods whose own sampler names no other scheduler, and the anchors.
std::vector<std::string> common_schedulers(const Study& study, const Known& known) {
  if (study.sampler->scheduler) return {*study.sampler->scheduler};
  std::vector<std::string> schedulers;
  const auto add = [&](const std::string& scheduler) {
    if (std::ranges::count(schedulers, scheduler) == 0) schedulers.push_back(scheduler);
  };
  for (const auto& method : study.methods) {
    if (method.spec == nullptr) continue;
    const auto& published = method.spec->sampler.scheduler;
    const bool other = method.sampler && method.sampler->scheduler && *method.sampler->scheduler != published;
    if (!other) add(published);
  }
  if (!known.protocol_scheduler) return schedulers;
  for (const auto& evaluation : study.evaluate) {
    if (!evaluation.protocol.empty()) add(known.protocol_scheduler(evaluation.protocol));
  }
  return schedulers;
}

std::string own_scheduler(const StudyMethod& method, const Study& study) {
  if (method.sampler->scheduler) return *method.sampler->scheduler;
  if (study.sampler && study.sampler->scheduler) return *study.sampler->scheduler;
  return method.spec->sampler.scheduler;
}

}  // namespace

namespace {

/// One scale or a list of them, each once; "no value" only where `optional`.
std::vector<std::optional<double>> read_scales(const YamlNode& node, const std::string& path, bool optional,
                                               Faults& faults) {
  std::vector<std::optional<double>> scales;
  const bool list = node.kind == YamlNode::Kind::list;
  if (list && node.items.empty()) faults.add(node.at, path + ": an empty list", "a number, or a list of them");
  for (const YamlNode& item : list ? node.items : std::vector<YamlNode>{node}) {
    std::optional<double> scale;
    if (!optional || item.kind != YamlNode::Kind::null) {
      scale = yaml_number(item, path, 0.0, faults);
      if (!scale) continue;
    }
    if (std::ranges::count(scales, scale) > 0) {
      faults.add(item.at, fmt::format("{}: {} twice", path, scale ? fmt::format("{}", *scale) : "null"),
                 "each value once");
    } else {
      scales.push_back(scale);
    }
  }
  return scales;
}

}  // namespace

std::optional<StudySampler> read_sampler(const YamlNode& node, const std::string& path, const Known& known,
                                         Faults& faults) {
  const YamlMap map(node, path, {"scheduler", "steps", "guidance", "reward_guidance", "settings"}, faults);
  if (node.kind != YamlNode::Kind::map) return std::nullopt;
  StudySampler sampler;
  if (const auto* value = map.get("scheduler")) {
    const auto text = yaml_text(*value, map.path("scheduler"), faults);
    if (text && check_word(*value, map.path("scheduler"), *text, known.schedulers, faults)) sampler.scheduler = *text;
  }
  if (const auto* value = map.get("steps")) sampler.steps = yaml_integer(*value, map.path("steps"), 1, 1000, faults);
  if (const auto* value = map.get("guidance")) {
    for (const auto& scale : read_scales(*value, map.path("guidance"), false, faults))
      sampler.guidance.push_back(*scale);
  }
  if (const auto* value = map.get("reward_guidance"))
    sampler.reward_guidance = read_scales(*value, map.path("reward_guidance"), true, faults);
  if (const auto* value = map.get("settings")) {
    if (value->kind != YamlNode::Kind::map) {
      faults.add(value->at, map.path("settings") + ": " + describe(*value), "a mapping of the scheduler's settings");
    } else {
      sampler.settings = yaml_json(*value);
    }
  }
  return sampler;
}

void check_sampler_settings(const YamlNode& root, const Known& known, const Study& study, Faults& faults) {
  if (!known.scheduler_settings) return;
  SettingsCheck checked(known, faults);
  const auto* common = member(member(&root, "sampler"), "settings");
  if (common != nullptr && study.sampler) checked.check(*common, "sampler.settings", common_schedulers(study, known));
  for (const auto& method : study.methods) {
    const auto* node = member(member(member(member(&root, "methods"), method.label), "sampler"), "settings");
    if (node == nullptr || !method.sampler || method.spec == nullptr) continue;
    checked.check(*node, fmt::format("methods.{}.sampler.settings", method.label), {own_scheduler(method, study)});
  }
}

}  // namespace atelier
