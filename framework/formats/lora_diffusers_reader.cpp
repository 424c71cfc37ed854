#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/formats/lora_adapter_config.h"
#include "framework/formats/lora_diffusers.h"

namespace atelier {
namespace {

constexpr const char* kAdapterMetadata = "lora_adapter_metadata";

bool any_key_contains(const TensorFile& file, std::string_view part) {
  return std::any_of(file.tensors.begin(), file.tensors.end(),
                     [&](const auto& item) { return item.first.find(part) != std::string::npos; });
}

/// A tensor whose key names no component.
struct BareKey {
  DiffusersKey key;
  const TensorView* view;
};

std::vector<BareKey> bare_keys(const TensorFile& file) {
  std::vector<BareKey> keys;
  for (const auto& [name, view] : file.tensors) {
    auto parsed = parse_diffusers_key(name);
    if (parsed && parsed->component.empty()) keys.push_back({std::move(*parsed), &view});
  }
  return keys;
}

/// Whether a half has the width of the layer that it would belong to.
bool fits(const BareKey& bare, const ModuleNames& target, const std::string& component) {
  const auto path = resolve_path(target, component, bare.key.path);
  if (!path || bare.key.leaf == LoraLeaf::alpha) return path.has_value();
  const auto& weight = *target.find(component, *path);
  const auto& shape = bare.view->shape;
  const bool down = bare.key.leaf == LoraLeaf::down;
  return shape.size() >= 2 && (down ? shape[1] == weight[1] : shape[0] == weight[0]);
}

/// The one component that the bare keys belong to; "" when there are no such keys or no component has the layers.
/// Between several, `preferred` decides.
std::string component_of(const TensorFile& file, const ModuleNames& target, const std::string& preferred) {
  const auto keys = bare_keys(file);
  std::vector<std::string> fitting;
  for (const auto& [component, modules] : target.components()) {
    if (std::all_of(keys.begin(), keys.end(), [&](const BareKey& key) { return fits(key, target, component); })) {
      fitting.push_back(component);
    }
  }
  if (keys.empty() || std::find(fitting.begin(), fitting.end(), preferred) != fitting.end()) return preferred;
  if (fitting.empty()) return preferred.empty() ? "unet" : preferred;  // whose layers the errors then name
  if (fitting.size() == 1) return fitting.front();
  throw Error({.where = file.path,
               .found = fmt::format("layers that fit {}", join(fitting, " and ")),
               .expected = "layers that fit one component",
               .advice = "put the file into a folder named for the component"});
}

/// Adds every tensor whose key is understood; the others are an error. `component`: of keys that name none.
void add_keys(LoraParts& parts, const TensorFile& file, const ModuleNames& target, const std::string& component) {
  std::vector<std::string> unknown;
  for (const auto& [name, view] : file.tensors) {
    const auto key = parse_diffusers_key(name);
    const auto& of = key && !key->component.empty() ? key->component : component;
    const auto path = key ? resolve_path(target, of, key->path) : std::nullopt;
    if (path) {
      parts.add({of, *path, key->leaf}, name, view);
    } else {
      unknown.push_back(name);
    }
  }
  refuse_unknown_keys(file.path, unknown);
}

LoraParts::DefaultAlpha metadata_alphas(const TensorFile& file, const ModuleNames& target, const LoraParts& parts) {
  const auto found = file.metadata.find(kAdapterMetadata);
  if (found == file.metadata.end() || parts.has_alphas()) return {};
  const auto where = fmt::format("{}: metadata {}", file.path, kAdapterMetadata);
  const auto json = parse_json(found->second, where);
  const bool bare = json.contains("r");  // one model's own file: its config without the component's name
  std::map<std::string, LoraAdapterConfig> configs;
  for (const auto& [component, modules] : target.components()) {
    configs.emplace(component, LoraAdapterConfig(json, bare ? "" : component + ".", where));
  }
  return [configs = std::move(configs)](const std::string& component, const std::string& path, std::int64_t rank) {
    return configs.at(component).alpha(path, rank);
  };
}

}  // namespace

std::string diffusers_dialect(const TensorFile& file) {
  if (any_key_contains(file, "_lora.down.")) return "diffusers 2023";
  if (any_key_contains(file, ".lora.down.") || any_key_contains(file, "lora_linear_layer")) return "diffusers";
  return any_key_contains(file, ".lora_A.") ? "peft" : "";
}

LoraFile read_diffusers_lora(const TensorFile& file, const ModuleNames& target) {
  if (any_key_contains(file, "base_model.model.")) {
    throw Error({.where = file.path,
                 .found = "PEFT's adapter tensors without their adapter_config.json",
                 .expected = "a folder with both; the config holds the scale",
                 .advice = "give the folder"});
  }
  LoraParts parts(file.path, target);
  add_keys(parts, file, target, component_of(file, target, ""));
  return {.entries = parts.entries(metadata_alphas(file, target, parts)),
          .dialect = diffusers_dialect(file),
          .ignored = {}};
}

LoraFile read_peft_lora(const TensorFile& file, const Json& adapter_config, const ModuleNames& target,
                        const std::string& component) {
  const auto where = fmt::format("{}: adapter_config.json", file.path);
  const LoraAdapterConfig config(adapter_config, "", where);
  if (const auto type = adapter_config.find("peft_type"); type == adapter_config.end() || *type != "LORA") {
    throw Error({.where = where,
                 .found = fmt::format("peft_type {}", type == adapter_config.end() ? "missing" : type->dump()),
                 .expected = "LORA"});
  }
  refuse_other_adapters(file);
  LoraParts parts(file.path, target);
  add_keys(parts, file, target, component_of(file, target, component));
  const auto alpha = [&](const std::string&, const std::string& path, std::int64_t rank) {
    return config.alpha(path, rank);
  };
  return {.entries = parts.entries(alpha), .dialect = "peft", .ignored = {}};
}

}  // namespace atelier
