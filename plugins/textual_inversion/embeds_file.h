#pragma once

#include <map>
#include <string>

#include "framework/formats/lora_values.h"
#include "framework/methods/method.h"

namespace atelier::textual_inversion {

/// The learned token as diffusers' scripts write it: `learned_embeds.safetensors` with {placeholder: [n, D]}. For SDXL
/// clip_l and clip_g [n, D] in a file with the placeholder's name, which this form does not store. In float32.
/// Throws Error for an artifact without a learned token.
[[nodiscard]] std::map<std::string, TensorSet> embeds_file(const TrainedArtifact& artifact);

}  // namespace atelier::textual_inversion
