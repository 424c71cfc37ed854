#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/formats/lora_values.h"
#include "framework/formats/lora_writer.h"
#include "framework/formats/lora_writer_parts.h"

namespace atelier {
namespace {

using Layers = std::map<std::string, const LoraEntry*>;  // of one component, by path

/// The layers in the order of the walk that has exactly these.
std::vector<std::string> order_of(const Layers& layers, const Modules& modules, const ClassNames& classes,
                                  const std::string& component) {
  for (const auto& walk : walks_below(classes)) {
    auto walked = walk_layers(modules, classes, walk);
    const bool same =
        walked.size() == layers.size() &&
        std::all_of(walked.begin(), walked.end(), [&](const auto& path) { return layers.contains(path); });
    if (same) return walked;
  }
  throw Error({.where = component,
               .found = fmt::format("a LoRA on {} layers", layers.size()),
               .expected = fmt::format("one on all layers below {}, which this format numbers", join(classes)),
               .advice = "write another format"});
}

void add_layer(TensorSet& set, const std::string& stem, const LoraEntry& entry, CloneofsimoType type) {
  const auto scale = entry.alpha / static_cast<double>(entry.rank);
  const bool half = type == CloneofsimoType::half;
  set.tensors.emplace(stem + ":up", scaled(entry.up, scale, half ? Dtype::f16 : entry.up.dtype, entry.module));
  set.tensors.emplace(stem + ":down", scaled(entry.down, 1.0, half ? Dtype::f16 : entry.down.dtype, entry.module));
  set.metadata.emplace(stem + ":rank", std::to_string(entry.rank));
}

}  // namespace

TensorSet cloneofsimo_lora(const std::vector<LoraEntry>& entries, const ModuleNames& target,
                           const std::map<std::string, ClassNames>& classes,
                           const std::map<std::string, TensorView>& tokens, CloneofsimoType type) {
  std::map<std::string, Layers> components;
  for (const auto& entry : entries) {
    auto [component, path] = split_module(entry.module);
    components[component].emplace(std::move(path), &entry);
  }
  TensorSet set;
  for (const auto& [component, layers] : components) {
    const auto modules = target.components().find(component);
    const auto names = classes.find(component);
    if (modules == target.components().end() || names == classes.end()) {
      throw Error(
          {.where = component, .found = "no such component or no classes for it", .expected = "one of the target"});
    }
    const auto order = order_of(layers, modules->second, names->second, component);
    set.metadata.emplace(component, Json(names->second).dump());
    for (std::size_t i = 0; i < order.size(); ++i) {
      add_layer(set, fmt::format("{}:{}", component, i), *layers.at(order[i]), type);
    }
  }
  for (const auto& [token, view] : tokens) {
    set.tensors.emplace(token, contiguous(view));
    set.metadata.emplace(token, "<embed>");
  }
  return set;
}

}  // namespace atelier
