#pragma once

#include <optional>

#include "framework/methods/method.h"

namespace atelier::custom_diffusion {

/// What the published programs write, under the names that the method applies: pytorch_custom_diffusion_weights of
/// diffusers' (.safetensors or .bin; alone, or in a folder beside its tokens), and delta.bin of the authors' own
/// program for diffusers, with tokens in it. Nothing for other files. Throws Error where such a file cannot be read.
[[nodiscard]] std::optional<TrainedArtifact> read_foreign(const ForeignArtifact& foreign);

}  // namespace atelier::custom_diffusion
