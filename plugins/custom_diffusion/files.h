#pragma once

#include <map>
#include <string>

#include "framework/formats/lora_values.h"
#include "framework/methods/method.h"

namespace atelier::custom_diffusion {

/// pytorch_custom_diffusion_weights.safetensors, as diffusers' load_attn_procs() reads it: the weights of each
/// cross-attention's processor, and an empty tensor for each self-attention's, which otherwise would be missing there.
/// The token as `<placeholder>.safetensors`, {placeholder: [D]}; for SDXL clip_l and clip_g. In float32.
/// Throws Error for an artifact without keys and values.
[[nodiscard]] std::map<std::string, TensorSet> diffusers_files(const TrainedArtifact& artifact,
                                                               const ModuleNames& target);

/// The same two as the program writes them by default or by --no_safe_serialization: torch.save's
/// pytorch_custom_diffusion_weights.bin, with an empty dictionary for each self-attention, and `<placeholder>.bin`.
[[nodiscard]] std::map<std::string, std::string> torch_files(const TrainedArtifact& artifact,
                                                             const ModuleNames& target);

}  // namespace atelier::custom_diffusion
