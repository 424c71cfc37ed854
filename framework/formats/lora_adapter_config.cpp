#include "framework/formats/lora_adapter_config.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/quote.h"

namespace atelier {
namespace {

const Json* find(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

bool is_true(const Json& json, const std::string& key) {
  const auto* value = find(json, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

/// "^down_blocks\.0.attn1$" → the name in it. PEFT takes the pattern as a regular expression; a name's dots match any
/// character there, which makes no difference between names of one model.
std::string plain_name(std::string_view pattern) {
  std::string name;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool escape = pattern[i] == '\\' && i + 1 < pattern.size() && pattern[i + 1] == '.';
    if (!escape) name += pattern[i];
  }
  if (name.ends_with('$')) name.pop_back();
  return name;
}

/// PEFT matches a pattern at the end of a layer's name, from a dot on, or with ^ the whole name.
bool matches(const std::string& path, std::string_view name) {
  if (name.starts_with('^')) return path == name.substr(1) || path == fmt::format("text_model.{}", name.substr(1));
  return path == name || path.ends_with(fmt::format(".{}", name));
}

std::optional<double> first_match(const std::vector<std::pair<std::string, double>>& patterns,
                                  const std::string& path) {
  for (const auto& [name, value] : patterns) {
    if (matches(path, name)) return value;
  }
  return std::nullopt;
}

}  // namespace

LoraAdapterConfig::LoraAdapterConfig(const Json& json, const std::string& prefix, const std::string& where)
    : where_(where) {
  if (!json.is_object()) throw Error({.where = where, .found = json.type_name(), .expected = "a JSON object"});
  constexpr std::array kVariants = {std::pair("use_dora", "DoRA"), std::pair("lora_bias", "LoRA with biases"),
                                    std::pair("use_qalora", "QALoRA")};
  for (const auto& [key, kind] : kVariants) {
    if (!is_true(json, prefix + key)) continue;
    throw Error({.where = fmt::format("{}: {}{}", where, prefix, key),
                 .found = fmt::format("an adapter of the kind {}", kind),
                 .expected = "a plain LoRA (down and up matrices)"});
  }
  rank_ = number(json, prefix + "r");
  alpha_ = number(json, prefix + "lora_alpha");
  rank_pattern_ = patterns(json, prefix + "rank_pattern");
  alpha_pattern_ = patterns(json, prefix + "alpha_pattern");
  root_scale_ = is_true(json, prefix + "use_rslora");
}

std::optional<double> LoraAdapterConfig::number(const Json& json, const std::string& key) const {
  const auto* value = find(json, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number() || !std::isfinite(value->get<double>())) {
    throw Error({.where = fmt::format("{}: {}", where_, key), .found = quote(value->dump()), .expected = "a number"});
  }
  return value->get<double>();
}

LoraAdapterConfig::Patterns LoraAdapterConfig::patterns(const Json& json, const std::string& key) const {
  const auto* found = find(json, key);
  if (found == nullptr) return {};
  const auto where = fmt::format("{}: {}", where_, key);
  if (!found->is_object()) throw Error({.where = where, .found = quote(found->dump()), .expected = "a JSON object"});
  Patterns patterns;
  for (const auto& [pattern, value] : found->items()) {
    auto name = plain_name(pattern);
    if (name.find_first_of("\\*+?()[]{}|$") != std::string::npos || name.find('^', 1) != std::string::npos) {
      throw Error({.where = where,
                   .found = quote(pattern),
                   .expected = "the name of a layer, not a general regular expression",
                   .advice = "list the layers one by one"});
    }
    patterns.emplace_back(std::move(name), number(*found, pattern).value_or(0.0));
  }
  return patterns;
}

std::optional<double> LoraAdapterConfig::alpha(const std::string& path, std::int64_t rank) const {
  const auto found = static_cast<double>(rank);
  auto expected = first_match(rank_pattern_, path);
  if (!expected) expected = rank_;
  if (expected && *expected != found) {
    throw Error({.where = fmt::format("{}: {}", where_, path),
                 .found = fmt::format("rank {} in the config", *expected),
                 .expected = fmt::format("rank {}, as in the tensors", rank)});
  }
  auto alpha = first_match(alpha_pattern_, path);
  if (!alpha) alpha = alpha_;
  if (!alpha) return std::nullopt;
  return root_scale_ ? *alpha * std::sqrt(found) : *alpha;
}

}  // namespace atelier
