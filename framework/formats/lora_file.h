#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"
#include "framework/formats/lora_targets.h"

namespace atelier {

/// A low-rank addition to one layer: W + alpha / rank · up · down (for a convolution: down is a k×k convolution to rank
/// channels with the layer's stride and padding, up a 1×1 one).
struct LoraEntry {
  std::string module;  ///< component and path: "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
  TensorView down;     ///< [rank, in], or [rank, in, k, k] where the layer is a convolution
  TensorView up;       ///< [out, rank], or [out, rank, 1, 1]
  double alpha = 0.0;
  std::int64_t rank = 0;
};

/// A LoRA in the model's own names, whatever the file called them (formats.md 10).
struct LoraFile {
  std::vector<LoraEntry> entries;  ///< sorted by module, each module once
  std::string dialect;  ///< "peft", "diffusers", "diffusers 2023", "kohya", "kohya sgm", "cloneofsimo", "artifact"
  std::vector<std::string> ignored;  ///< keys that the dialect's own reader drops too
};

/// The dialect that the keys show; "" when this is no LoRA. Kinds that read_lora refuses (DoRA, LyCORIS) have one too.
[[nodiscard]] std::string lora_dialect(const TensorFile& file);

/// Reads any dialect. Learned tokens that a cloneofsimo file holds beside the LoRA are passed over. Without alpha
/// tensors the alphas come from the metadata `lora_adapter_metadata`; without that alpha is the rank, as also where it
/// is 0. Throws Error with file and key for keys that name no layer of the target (up to 20 of them), layers without
/// their second half, shapes that do not fit the layer, and kinds of adapter that are no plain LoRA.
[[nodiscard]] LoraFile read_lora(const TensorFile& file, const ModuleNames& target);

/// The tensors of a PEFT folder (adapter_model.safetensors) with its adapter_config.json. They belong to the one
/// component that has all their layers with these shapes; between equals (two text encoders) `component` decides, when
/// given.
[[nodiscard]] LoraFile read_peft_lora(const TensorFile& file, const Json& adapter_config, const ModuleNames& target,
                                      const std::string& component = "");

/// cloneofsimo's .pt: up0, down0, up1, down1, … of one component, in the order of its layers.
[[nodiscard]] LoraFile read_lora_list(const std::vector<TensorView>& tensors, const std::string& path,
                                      const std::string& component, const ModuleNames& target);

}  // namespace atelier
