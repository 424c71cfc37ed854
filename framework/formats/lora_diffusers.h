#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "framework/formats/lora_parts.h"

namespace atelier {

/// A key of diffusers or PEFT in any of their spellings, taken apart; nothing is looked up yet.
struct DiffusersKey {
  std::string component;  ///< "" when the key names none
  std::string path;       ///< as the model calls the layer, but perhaps without "text_model."
  LoraLeaf leaf = LoraLeaf::down;
};

/// Nothing when the key has no ending that a LoRA tensor may have. PEFT's "base_model.model." is left out of the path.
[[nodiscard]] std::optional<DiffusersKey> parse_diffusers_key(std::string_view key);

/// "diffusers 2023", "diffusers", "peft"; "" when no key has their spelling.
[[nodiscard]] std::string diffusers_dialect(const TensorFile& file);

/// read_lora for these dialects.
[[nodiscard]] LoraFile read_diffusers_lora(const TensorFile& file, const ModuleNames& target);

}  // namespace atelier
