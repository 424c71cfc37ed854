#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/formats/lora_parts.h"

namespace atelier {

/// cloneofsimo/lora names no layers: entry i of a file is the i-th layer on a walk through the model, below modules of
/// given classes. The walk is that of PyTorch's registration order, in which up_blocks precede mid_block and, in
/// diffusers of that time, a transformer block's feed-forward layers precede its second attention.
struct Walk {
  bool feed_forward_first = false;  ///< attn1, ff, attn2 instead of attn1, attn2, ff
  std::string layers;               ///< of BasicTransformerBlock: "cross", "self", "cross+self" or "full"; else ""
};

/// Names of Python classes, e.g. {"CrossAttention", "GEGLU"}.
using ClassNames = std::vector<std::string>;

/// The layers of a component on such a walk: those below modules of one of the classes. Convolutions count only where
/// one of them is ResnetBlock2D, Downsample2D, Upsample2D or Transformer2DModel.
[[nodiscard]] std::vector<std::string> walk_layers(const Modules& modules, const ClassNames& classes, const Walk& walk);

/// The walks that are in use below these classes, the likeliest first.
[[nodiscard]] std::vector<Walk> walks_below(const ClassNames& classes);

/// Classes that the reference takes when it is told none.
[[nodiscard]] ClassNames default_classes(std::string_view component);

/// "unet:12:up" → {"unet", 12, up}.
struct CloneofsimoKey {
  std::string component;
  std::size_t index = 0;
  LoraLeaf leaf = LoraLeaf::down;
};
[[nodiscard]] std::optional<CloneofsimoKey> parse_cloneofsimo_key(std::string_view key);

/// The two tensors of one index.
struct CloneofsimoHalves {
  std::string down_key, up_key;
  const TensorView* down = nullptr;
  const TensorView* up = nullptr;
};

/// The layers that the halves belong to, in their order: of the alternatives and the walks below their classes the
/// first with as many layers whose shapes all fit. Of the filters on transformer blocks "cross" is tried first. Throws
/// Error
/// (`where`) when no walk fits.
[[nodiscard]] std::vector<std::string> fitting_layers(const std::vector<CloneofsimoHalves>& halves,
                                                      const Modules& modules,
                                                      const std::vector<ClassNames>& alternatives,
                                                      const std::string& where);

/// The LoRA of a safetensors file; entries of metadata `<embed>` are passed over.
[[nodiscard]] LoraFile read_cloneofsimo(const TensorFile& file, const ModuleNames& target);

/// Whether the metadata calls this tensor a learned token.
[[nodiscard]] bool is_cloneofsimo_token(const TensorFile& file, const std::string& key);

}  // namespace atelier
