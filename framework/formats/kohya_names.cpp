#include "framework/formats/kohya_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "framework/formats/ldm_names.h"

namespace atelier {
namespace {

std::string underscored(std::string path) {
  std::replace(path.begin(), path.end(), '.', '_');
  return path;
}

bool contains_any(std::string_view text, const std::array<std::string_view, 3>& parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

/// "down_blocks.2.resnets.1.conv1" with prefix "down_blocks." → 2.
std::optional<std::size_t> index_after(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  const auto* first = path.data() + prefix.size();
  std::size_t index = 0;
  const auto [end, fault] = std::from_chars(first, path.data() + path.size(), index);
  if (fault != std::errc() || end == first || index >= 64) return std::nullopt;
  return index;
}

/// What a UNet's config would say about its blocks on one way.
struct Blocks {
  std::vector<std::string> types;
  std::vector<std::size_t> resnets;
};

Blocks blocks_of(const Modules& unet, std::string_view way) {
  Blocks blocks;
  for (const auto& [path, shape] : unet) {
    const auto block = index_after(path, fmt::format("{}.", way));
    if (!block) continue;
    if (*block >= blocks.types.size()) {
      blocks.types.resize(*block + 1, "Block2D");
      blocks.resnets.resize(*block + 1, 0);
    }
    const auto prefix = fmt::format("{}.{}.", way, *block);
    if (path.starts_with(prefix + "attentions.")) blocks.types[*block] = "CrossAttnBlock2D";
    if (const auto resnet = index_after(path, prefix + "resnets.")) {
      blocks.resnets[*block] = std::max(blocks.resnets[*block], *resnet + 1);
    }
  }
  return blocks;
}

}  // namespace

bool is_kohya_key(std::string_view key) { return key.starts_with("lora_unet_") || key.starts_with("lora_te"); }

bool is_sgm_name(std::string_view key) { return contains_any(key, {"input_blocks", "middle_block", "output_blocks"}); }

bool is_diffusers_block_name(std::string_view key) {
  return contains_any(key, {"down_blocks", "mid_block", "up_blocks"});
}

NameMap sgm_names(const Modules& unet) {
  const auto down = blocks_of(unet, "down_blocks");
  const auto up = blocks_of(unet, "up_blocks");
  const bool whole = !down.types.empty() && down.types.size() == up.types.size() &&
                     std::count(down.resnets.begin(), down.resnets.end(), 0U) == 0;
  if (!whole) return {};
  return unet_names(
      {{"down_block_types", down.types}, {"up_block_types", up.types}, {"layers_per_block", down.resnets}},
      "the target model");
}

KohyaNames::KohyaNames(const ModuleNames& target) {
  const auto add = [&](const std::string& name, const std::string& component, const std::string& path) {
    modules_.emplace(name, Module{component, path});
  };
  for (const auto& [component, modules] : target.components()) {
    const bool unet = component == "unet";
    const auto sgm = unet ? sgm_names(modules) : NameMap{};
    for (const auto& [path, shape] : modules) {
      add(kohya_name(component, path, nullptr, false), component, path);
      add(kohya_name(component, path, nullptr, true), component, path);
      if (unet && sgm.to_ldm(path)) add(kohya_name(component, path, &sgm, false), component, path);
    }
  }
}

const KohyaNames::Module* KohyaNames::find(std::string_view name) const {
  const auto found = modules_.find(name);
  return found == modules_.end() ? nullptr : &found->second;
}

std::optional<LoraKey> KohyaNames::parse(std::string_view key) const {
  constexpr std::array<std::pair<std::string_view, LoraLeaf>, 3> kLeaves = {
      {{"lora_down.weight", LoraLeaf::down}, {"lora_up.weight", LoraLeaf::up}, {"alpha", LoraLeaf::alpha}}};
  const auto dot = key.find('.');
  const auto* module = find(key.substr(0, dot));
  if (module == nullptr || dot == std::string_view::npos) return std::nullopt;
  for (const auto& [leaf, kind] : kLeaves) {
    if (key.substr(dot + 1) == leaf) return LoraKey{module->component, module->path, kind};
  }
  return std::nullopt;
}

std::string kohya_name(const std::string& component, const std::string& path, const NameMap* sgm, bool two_towers) {
  if (component == "unet") {
    const auto original = sgm == nullptr ? std::nullopt : sgm->to_ldm(path);
    return "lora_unet_" + underscored(original.value_or(path));
  }
  if (component == "text_encoder_2") return "lora_te2_" + underscored(path);
  return (two_towers ? "lora_te1_" : "lora_te_") + underscored(path);
}

}  // namespace atelier
