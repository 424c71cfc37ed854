#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "framework/formats/lora_parts.h"
#include "framework/formats/lora_targets.h"
#include "framework/formats/name_map.h"

namespace atelier {

/// The names of sd-scripts (kohya): "lora_unet_down_blocks_0_attentions_0_proj_in" and, for SDXL, the names of the
/// original (sgm) model: "lora_unet_input_blocks_4_1_proj_in". Underscores are ambiguous, so names are never taken
/// apart: the map goes forward from every layer of the target.
class KohyaNames {
 public:
  explicit KohyaNames(const ModuleNames& target);

  struct Module {
    std::string component;
    std::string path;
  };
  /// The layer with that name ("lora_unet_…", "lora_te_…", "lora_te1_…", "lora_te2_…"); nullptr when the target has
  /// none.
  [[nodiscard]] const Module* find(std::string_view name) const;

  /// The key's layer and part; nothing when either is unknown.
  [[nodiscard]] std::optional<LoraKey> parse(std::string_view key) const;

 private:
  std::map<std::string, Module, std::less<>> modules_;
};

/// Whether the key is one of sd-scripts' ("lora_unet_…", "lora_te…").
[[nodiscard]] bool is_kohya_key(std::string_view key);
/// Whether the name is one of a block of the original UNet (input_blocks, middle_block, output_blocks).
[[nodiscard]] bool is_sgm_name(std::string_view key);
/// Whether the name is one of a block of the diffusers UNet (down_blocks, mid_block, up_blocks).
[[nodiscard]] bool is_diffusers_block_name(std::string_view key);

/// The original (sgm) names of a UNet, found from its layers alone.
[[nodiscard]] NameMap sgm_names(const Modules& unet);

/// What sd-scripts calls a layer. `sgm`: the map for SDXL's UNet, or nullptr for diffusers names. `two_towers`: text
/// encoders are te1 and te2 instead of te.
[[nodiscard]] std::string kohya_name(const std::string& component, const std::string& path, const NameMap* sgm,
                                     bool two_towers);

}  // namespace atelier
