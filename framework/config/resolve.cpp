#include <fmt/format.h>

#include <algorithm>

#include "framework/config/method_spec.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

bool names_option(const std::vector<Condition>& conditions, std::string_view name) {
  return std::ranges::any_of(conditions, [&](const Condition& condition) { return condition.option == name; });
}

bool names_option(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// Whether something besides the training of single stages looks at the option: which stages run, or the phrase.
bool used_by_method(const MethodSpec& spec, std::string_view name) {
  const bool by_stages =
      std::ranges::any_of(spec.stages, [&](const StageSpec& stage) { return names_option(stage.runs_when, name); });
  const bool by_phrase = std::ranges::any_of(spec.phrases, [&](const PhraseRule& rule) {
    return names_option(rule.when, name) || names_option(phrase_option_names(rule), name);
  });
  return by_stages || by_phrase;
}

bool stage_uses(const StageSpec& stage, std::string_view name) {
  const bool sometimes = std::ranges::any_of(stage.reads_when, [&](const ConditionalReads& reads) {
    return reads.when.option == name || names_option(reads.options, name);
  });
  return sometimes || names_option(stage.reads, name) || names_option(stage.steps.add, name) ||
         names_option(stage.steps.subtract, name);
}

std::vector<std::string> unmet(const std::vector<Condition>& conditions, const Json& options) {
  std::vector<std::string> texts;
  for (const auto& condition : conditions) {
    if (!holds(condition, options)) texts.push_back(describe(condition));
  }
  return texts;
}

Fault unknown_option(const MethodSpec& spec, const std::string& name, const std::string& where) {
  const auto names = option_names(spec);
  const auto near = nearest(name, names);
  return {.where = where,
          .found = fmt::format("{} has no option \"{}\"", spec.name, name),
          .expected = near.empty() ? "one of " + join(names, ", ", 12) : "",
          .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)};
}

std::string preset_advice(const MethodSpec& spec, const std::string& preset) {
  std::vector<std::string> names;
  for (const auto& known : spec.presets) names.push_back(known.name);
  const auto near = nearest(preset, names);
  return near.empty() ? "" : fmt::format("did you mean {}?", near);
}

const PresetSpec* required_preset(const MethodSpec& spec, const std::string& preset, const std::string& where) {
  const auto* found = find_preset(spec, preset);
  if (found != nullptr || preset.empty()) return found;
  std::vector<std::string> names;
  for (const auto& known : spec.presets) names.push_back(known.name);
  throw Error({.where = where,
               .found = fmt::format("{} has no preset \"{}\"", spec.name, preset),
               .expected = names.empty() ? "none: the method has no presets" : "one of " + join(names),
               .advice = preset_advice(spec, preset)},
              ErrorKind::usage);
}

}  // namespace

const OptionSpec* find_option(const MethodSpec& spec, std::string_view name) {
  const auto found = std::ranges::find(spec.options, name, &OptionSpec::name);
  return found == spec.options.end() ? nullptr : &*found;
}

const PresetSpec* find_preset(const MethodSpec& spec, std::string_view name) {
  if (name.empty()) return spec.presets.empty() ? nullptr : &spec.presets.front();
  const auto found = std::ranges::find(spec.presets, name, &PresetSpec::name);
  return found == spec.presets.end() ? nullptr : &*found;
}

std::vector<std::string> option_names(const MethodSpec& spec) {
  std::vector<std::string> names;
  for (const auto& option : spec.options) names.push_back(option.name);
  return names;
}

std::string no_effect_reason(const MethodSpec& spec, const OptionSpec& option, const Json& options) {
  const auto missing = unmet(option.active_when, options);
  if (!missing.empty()) return fmt::format("{} has no effect unless {}", option.name, join(missing, " and "));
  if (used_by_method(spec, option.name)) return "";
  std::vector<std::string> idle;
  for (const auto& stage : spec.stages) {
    if (!stage_uses(stage, option.name)) continue;
    const auto needs = unmet(stage.runs_when, options);
    if (needs.empty()) return "";
    idle.push_back(fmt::format("{} (stage {} is left out)", join(needs, " and "), stage.name));
  }
  return idle.empty() ? "" : fmt::format("{} has no effect unless {}", option.name, join(idle, " or "));
}

ResolvedOptions try_resolve_options(const MethodSpec& spec, const std::string& preset, const Json& chosen,
                                    const std::string& where) {
  ResolvedOptions resolved{.options = Json::object(), .faults = {}};
  for (const auto& option : spec.options) resolved.options[option.name] = option.value;
  const auto* base = required_preset(spec, preset, where);
  if (base != nullptr && base->options.is_object()) {
    for (const auto& [name, value] : base->options.items()) resolved.options[name] = value;
  }
  if (!chosen.is_object()) return resolved;
  std::vector<std::string> valid;
  for (const auto& [name, value] : chosen.items()) {
    const auto* option = find_option(spec, name);
    if (option == nullptr) {
      resolved.faults.push_back({name, unknown_option(spec, name, where)});
      continue;
    }
    try {
      resolved.options[name] = check_value(*option, value, where);
      // null says "unset", which chooses nothing that could be inert.
      if (!value.is_null()) valid.push_back(name);
    } catch (const Error& error) {
      resolved.faults.push_back({name, error.fault()});
    }
  }
  for (const auto& name : valid) {
    const auto reason = no_effect_reason(spec, *find_option(spec, name), resolved.options);
    if (reason.empty()) continue;
    resolved.faults.push_back({name, {.where = where, .found = reason, .expected = "", .advice = "leave it out"}});
  }
  return resolved;
}

Json resolve_options(const MethodSpec& spec, const std::string& preset, const Json& chosen, const std::string& where) {
  if (!chosen.is_object() && !chosen.is_null()) {
    throw Error({.where = where, .found = "options that are no mapping", .expected = "name: value"}, ErrorKind::usage);
  }
  auto resolved = try_resolve_options(spec, preset, chosen, where);
  if (resolved.faults.empty()) return std::move(resolved.options);
  auto fault = resolved.faults.front().fault;
  if (resolved.faults.size() == 1) throw Error(std::move(fault), ErrorKind::usage);
  std::vector<std::string> texts;
  for (const auto& each : resolved.faults) {
    auto text = each.fault.found;
    if (!each.fault.expected.empty()) text += ", expected " + each.fault.expected;
    if (!each.fault.advice.empty()) text += " (" + each.fault.advice + ")";
    texts.push_back(std::move(text));
  }
  throw Error({.where = where, .found = join(texts, "; "), .expected = "", .advice = ""}, ErrorKind::usage);
}

std::vector<std::string> stage_reads(const StageSpec& stage, const Json& options) {
  std::vector<std::string> reads = stage.reads;
  for (const auto& more : stage.reads_when) {
    if (holds(more.when, options)) reads.insert(reads.end(), more.options.begin(), more.options.end());
  }
  std::ranges::sort(reads);
  const auto twice = std::ranges::unique(reads);
  reads.erase(twice.begin(), twice.end());
  return reads;
}

std::vector<std::string> stage_key_options(const MethodSpec& spec, const StageSpec& stage, const Json& options) {
  auto names = stage_reads(stage, options);
  std::erase_if(names, [&](const std::string& name) {
    const auto* option = find_option(spec, name);
    return option != nullptr && option->memory_only;
  });
  return names;
}

Json deciding_options(const MethodSpec& spec, Json options) {
  for (const auto& option : spec.options) {
    if (option.memory_only) options.erase(option.name);
  }
  return options;
}

std::int64_t stage_steps(const StageSpec& stage, const Json& options) {
  const auto value = [&](const std::string& name) -> std::int64_t {
    const auto found = options.find(name);
    return found != options.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  };
  std::int64_t steps = 0;
  std::string terms;
  for (const auto& name : stage.steps.add) {
    steps += value(name);
    terms += fmt::format("{}{} ({})", terms.empty() ? "" : " + ", name, value(name));
  }
  for (const auto& name : stage.steps.subtract) {
    steps -= value(name);
    terms += fmt::format(" - {} ({})", name, value(name));
  }
  if (steps >= 0) return steps;
  throw Error({.where = "stage " + stage.name,
               .found = fmt::format("{} = {} optimizer steps", terms, steps),
               .expected = "a number of steps of at least 0"},
              ErrorKind::usage);
}

}  // namespace atelier
