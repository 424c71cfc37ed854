#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/quote.h"
#include "framework/formats/cloneofsimo.h"
#include "framework/formats/lora_parts.h"

namespace atelier {
namespace {

/// The halves of every component by index, without gaps. Keys that are neither halves nor tokens are an error.
std::map<std::string, std::vector<CloneofsimoHalves>> halves_of(const TensorFile& file, const ModuleNames& target) {
  std::map<std::string, std::vector<CloneofsimoHalves>> result;
  std::vector<std::string> unknown;
  for (const auto& [key, view] : file.tensors) {
    if (is_cloneofsimo_token(file, key)) continue;
    const auto parsed = parse_cloneofsimo_key(key);
    const bool known = parsed && target.components().contains(parsed->component) && parsed->index < file.tensors.size();
    if (!known) {
      unknown.push_back(key);
      continue;
    }
    auto& halves = result[parsed->component];
    if (halves.size() <= parsed->index) halves.resize(parsed->index + 1);
    auto& entry = halves[parsed->index];
    (parsed->leaf == LoraLeaf::down ? entry.down_key : entry.up_key) = key;
    (parsed->leaf == LoraLeaf::down ? entry.down : entry.up) = &view;
  }
  refuse_unknown_keys(file.path, unknown);
  return result;
}

void require_halves(const std::vector<CloneofsimoHalves>& halves, const std::string& file,
                    const std::string& component) {
  for (std::size_t i = 0; i < halves.size(); ++i) {
    if (halves[i].down != nullptr && halves[i].up != nullptr) continue;
    throw Error({.where = place(file, fmt::format("{}:{}:{}", component, i, halves[i].down == nullptr ? "down" : "up")),
                 .found = "no such tensor",
                 .expected = fmt::format("up and down for every index up to {}", halves.size() - 1)});
  }
}

/// The metadata's list of classes; what the reference takes when there is none.
ClassNames classes_of(const TensorFile& file, const std::string& component) {
  const auto found = file.metadata.find(component);
  if (found == file.metadata.end()) return default_classes(component);
  const auto where = fmt::format("{}: metadata {}", file.path, component);
  const auto list = parse_json(found->second, where);
  ClassNames classes;
  if (list.is_array()) {
    for (const auto& name : list) {
      if (name.is_string()) classes.push_back(name.get<std::string>());
    }
  }
  if (classes.empty() || classes.size() != list.size()) {
    throw Error({.where = where, .found = quote(found->second), .expected = "a JSON list of class names"});
  }
  return classes;
}

/// The rank that the metadata states, where it states one, has to be that of the tensors.
void check_rank(const TensorFile& file, const std::string& component, std::size_t index, const TensorView& down) {
  const auto key = fmt::format("{}:{}:rank", component, index);
  const auto found = file.metadata.find(key);
  const auto rank = down.shape.empty() ? 0 : down.shape.front();
  if (found == file.metadata.end() || found->second == std::to_string(rank)) return;
  throw Error({.where = fmt::format("{}: metadata {}", file.path, key),
               .found = quote(found->second),
               .expected = fmt::format("{}, as in the tensors", rank)});
}

void add_component(LoraParts& parts, const std::vector<CloneofsimoHalves>& halves, const std::string& component,
                   const std::vector<std::string>& layers) {
  for (std::size_t i = 0; i < halves.size(); ++i) {
    parts.add({component, layers[i], LoraLeaf::down}, halves[i].down_key, *halves[i].down);
    parts.add({component, layers[i], LoraLeaf::up}, halves[i].up_key, *halves[i].up);
  }
}

}  // namespace

LoraFile read_cloneofsimo(const TensorFile& file, const ModuleNames& target) {
  LoraParts parts(file.path, target);
  for (const auto& [component, halves] : halves_of(file, target)) {
    require_halves(halves, file.path, component);
    for (std::size_t i = 0; i < halves.size(); ++i) check_rank(file, component, i, *halves[i].down);
    const auto layers = fitting_layers(halves, target.components().at(component), {classes_of(file, component)},
                                       fmt::format("{}: {}", file.path, component));
    add_component(parts, halves, component, layers);
  }
  return {.entries = parts.entries(), .dialect = "cloneofsimo", .ignored = {}};
}

LoraFile read_lora_list(const std::vector<TensorView>& tensors, const std::string& path, const std::string& component,
                        const ModuleNames& target) {
  const auto modules = target.components().find(component);
  if (tensors.empty() || tensors.size() % 2 != 0 || modules == target.components().end()) {
    throw Error({.where = path,
                 .found = fmt::format("a list of {} tensors for {}", tensors.size(), component),
                 .expected = "up and down in turn for every layer of a component of this model"});
  }
  std::vector<CloneofsimoHalves> halves;
  for (std::size_t i = 0; i < tensors.size(); i += 2) {
    halves.push_back({fmt::format("[{}]", i + 1), fmt::format("[{}]", i), &tensors[i + 1], &tensors[i]});
  }
  // The file says nothing about classes; these are the ones in use.
  std::vector<ClassNames> alternatives = {default_classes(component)};
  if (component == "unet") {
    alternatives.push_back({"BasicTransformerBlock"});
    alternatives.push_back({"CrossAttention", "Attention", "GEGLU", "ResnetBlock2D"});
  }
  const auto layers = fitting_layers(halves, modules->second, alternatives, fmt::format("{}: {}", path, component));
  LoraParts parts(path, target);
  add_component(parts, halves, component, layers);
  return {.entries = parts.entries(), .dialect = "cloneofsimo", .ignored = {}};
}

}  // namespace atelier
