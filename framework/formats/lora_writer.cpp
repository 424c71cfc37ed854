#include "framework/formats/lora_writer.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "framework/core/error.h"
#include "framework/formats/lora_values.h"
#include "framework/formats/lora_writer_parts.h"

namespace atelier {
namespace {

/// The value that most entries have, the smallest of these.
template <typename Value>
Value most_common(const std::vector<Value>& values) {
  std::map<Value, std::size_t> counts;
  for (const auto value : values) ++counts[value];
  auto best = counts.begin();
  for (auto it = counts.begin(); it != counts.end(); ++it) {
    if (it->second > best->second) best = it;
  }
  return best->first;
}

/// A name that PEFT finds whether or not the text model still has its "text_model." level.
std::string peft_name(const std::string& path) {
  constexpr std::string_view kTextModel = "text_model.";
  return path.starts_with(kTextModel) ? path.substr(kTextModel.size()) : path;
}

/// The part of PEFT's LoraConfig that decides what the tensors mean.
Json adapter_config(const std::vector<std::pair<std::string, const LoraEntry*>>& layers) {
  std::vector<std::int64_t> ranks;
  std::vector<double> alphas;
  for (const auto& [path, entry] : layers) {
    ranks.push_back(entry->rank);
    alphas.push_back(entry->alpha);
  }
  const auto rank = most_common(ranks);
  const auto alpha = most_common(alphas);
  Json targets = Json::array();
  Json rank_pattern = Json::object();
  Json alpha_pattern = Json::object();
  for (const auto& [path, entry] : layers) {
    const auto name = peft_name(path);
    targets.push_back(name);
    if (entry->rank != rank) rank_pattern[name] = entry->rank;
    if (entry->alpha != alpha) alpha_pattern[name] = json_number(entry->alpha);
  }
  return {{"peft_type", "LORA"},
          {"r", rank},
          {"lora_alpha", json_number(alpha)},
          {"target_modules", std::move(targets)},
          {"rank_pattern", std::move(rank_pattern)},
          {"alpha_pattern", std::move(alpha_pattern)},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"use_dora", false},
          {"use_rslora", false}};
}

std::string adapter_metadata(const std::vector<LoraEntry>& entries) {
  std::map<std::string, std::vector<std::pair<std::string, const LoraEntry*>>> components;
  for (const auto& entry : entries) {
    auto [component, path] = split_module(entry.module);
    components[component].emplace_back(std::move(path), &entry);
  }
  Json metadata = Json::object();
  for (const auto& [component, layers] : components) {
    const auto config = adapter_config(layers);
    for (const auto& [key, value] : config.items()) metadata[fmt::format("{}.{}", component, key)] = value;
  }
  return metadata.dump(2);
}

}  // namespace

std::pair<std::string, std::string> split_module(const std::string& module) {
  const auto dot = module.find('.');
  if (dot == std::string::npos) {
    throw Error({.where = module, .found = "a layer without a component", .expected = "unet.…, text_encoder.…"});
  }
  return {module.substr(0, dot), module.substr(dot + 1)};
}

Json json_number(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

TensorView scaled(const TensorView& view, double scale, Dtype dtype, const std::string& where) {
  if (scale == 1.0 && dtype == view.dtype) return contiguous(view);
  auto values = values_of(view, where);
  for (auto& value : values) value *= scale;
  return make_view(values, view.shape, dtype);
}

TensorSet peft_lora(const std::vector<LoraEntry>& entries) {
  TensorSet set;
  for (const auto& entry : entries) {
    set.tensors.emplace(entry.module + ".lora_A.weight", contiguous(entry.down));
    set.tensors.emplace(entry.module + ".lora_B.weight", contiguous(entry.up));
  }
  set.metadata = {{"format", "pt"}, {"lora_adapter_metadata", adapter_metadata(entries)}};
  return set;
}

TensorSet diffusers_legacy_lora(const std::vector<LoraEntry>& entries) {
  TensorSet set{.tensors = {}, .metadata = {{"format", "pt"}}};
  for (const auto& entry : entries) {
    const auto stem = entry.module + (entry.module.starts_with("unet.") ? ".lora" : ".lora_linear_layer");
    const auto scale = entry.alpha / static_cast<double>(entry.rank);
    set.tensors.emplace(stem + ".down.weight", contiguous(entry.down));
    set.tensors.emplace(stem + ".up.weight", scaled(entry.up, scale, entry.up.dtype, entry.module));
  }
  return set;
}

}  // namespace atelier
