#include "framework/schedulers/scheduler_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

std::string shown(const Json& value) {
  auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr std::size_t kLongest = 60;
  return text.size() > kLongest ? text.substr(0, kLongest) + "…" : text;
}

/// Python writes infinite numbers as the words that JSON lacks; some exporters quote them.
std::optional<double> as_number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& word = value.get_ref<const std::string&>();
  if (word == "-Infinity" || word == "-inf") return -std::numeric_limits<double>::infinity();
  if (word == "Infinity" || word == "inf") return std::numeric_limits<double>::infinity();
  return std::nullopt;
}

}  // namespace

SchedulerSettings::SchedulerSettings(std::string scheduler, const Json& config, const Json& overrides)
    : scheduler_(std::move(scheduler)), config_(&config), overrides_(&overrides) {
  if (!config.is_object()) {
    throw Error({.where = "scheduler_config.json", .found = shown(config), .expected = "a JSON object"});
  }
  if (!overrides.is_object() && !overrides.is_null()) {
    throw Error({.where = "scheduler overrides", .found = shown(overrides), .expected = "KEY=VALUE pairs"},
                ErrorKind::usage);
  }
}

bool SchedulerSettings::overridden(std::string_view key) const {
  return overrides_->is_object() && overrides_->contains(key);
}

const Json* SchedulerSettings::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  if (overridden(key)) return &overrides_->at(key);
  const auto found = config_->find(key);
  return found == config_->end() ? nullptr : &*found;
}

void SchedulerSettings::fail(std::string_view key, std::string found, std::string expected, std::string advice) const {
  const bool option = overridden(key);
  throw Error({.where = fmt::format("[{}] {}", scheduler_, key),
               .found = std::move(found),
               .expected = std::move(expected),
               .advice = std::move(advice)},
              option ? ErrorKind::usage : ErrorKind::failure);
}

bool SchedulerSettings::boolean(std::string_view key, bool fallback) {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_null()) return false;
  if (!value->is_boolean()) fail(key, shown(*value), "true or false");
  return value->get<bool>();
}

double SchedulerSettings::number(std::string_view key, double fallback) {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  const auto number = as_number(*value);
  if (!number) fail(key, shown(*value), "a number");
  return *number;
}

std::optional<double> SchedulerSettings::optional_number(std::string_view key) {
  const auto* value = find(key);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return number(key, 0.0);
}

std::int64_t SchedulerSettings::integer(std::string_view key, std::int64_t fallback, std::int64_t least,
                                        std::int64_t most) {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  const bool fits = value->is_number_integer() && *value >= least && *value <= most;
  if (!fits) fail(key, shown(*value), fmt::format("an integer from {} to {}", least, most));
  return value->get<std::int64_t>();
}

std::vector<double> SchedulerSettings::numbers(std::string_view key) {
  const auto* value = find(key);
  if (value == nullptr || value->is_null()) return {};
  const auto is_number = [](const Json& item) { return item.is_number(); };
  if (!value->is_array() || !std::all_of(value->begin(), value->end(), is_number)) {
    fail(key, shown(*value), "an array of numbers");
  }
  return value->get<std::vector<double>>();
}

std::vector<std::int64_t> SchedulerSettings::integers(std::string_view key) {
  const auto* value = find(key);
  if (value == nullptr || value->is_null()) return {};
  const auto is_integer = [](const Json& item) { return item.is_number_integer(); };
  if (!value->is_array() || !std::all_of(value->begin(), value->end(), is_integer)) {
    fail(key, shown(*value), "an array of integers");
  }
  return value->get<std::vector<std::int64_t>>();
}

std::optional<std::size_t> SchedulerSettings::choice_index(std::string_view key,
                                                           const std::vector<std::string>& names) {
  const auto* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto name = value->is_string() ? value->get<std::string>() : std::string();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) fail(key, shown(*value), join(names, " or "));
  return static_cast<std::size_t>(found - names.begin());
}

void SchedulerSettings::refuse(std::string_view key) {
  if (boolean(key, false)) fail(key, "true", "false", "this variant of the scheduler is not supported");
}

void SchedulerSettings::finish() const {
  if (!overrides_->is_object()) return;
  for (const auto& [key, value] : overrides_->items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const auto near = nearest(key, known_);
    throw Error({.where = fmt::format("[{}] {}", scheduler_, key),
                 .found = "a key that this scheduler does not know",
                 .expected = join(known_),
                 .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
                ErrorKind::usage);
  }
}

}  // namespace atelier
