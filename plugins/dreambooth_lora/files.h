#pragma once

#include <map>
#include <string>

#include "framework/formats/lora_values.h"
#include "framework/methods/method.h"

namespace atelier::dreambooth_lora {

/// pytorch_lora_weights.safetensors, as diffusers' load_lora_weights() reads it (float32, alpha = rank) and, where a
/// token was learned, learned_embeds.safetensors with {placeholder: [1, D]}; for SDXL clip_l and clip_g in a file with
/// the placeholder's name. Throws Error for an artifact without updates.
[[nodiscard]] std::map<std::string, TensorSet> diffusers_files(const TrainedArtifact& artifact);

}  // namespace atelier::dreambooth_lora
