#pragma once

#include <string>
#include <utility>

#include "framework/formats/lora_values.h"
#include "framework/tensor/tensor.h"

namespace atelier {

/// The vectors that an artifact's tensors hold of a token: [n, D] float32, or undefined where the encoder has none.
[[nodiscard]] Tensor token_vectors(const TensorMap& tensors, const std::string& encoder, const std::string& token);

/// A learned token as diffusers reads it: {token: [n, D]} or, where two text encoders have vectors, `clip_l` and
/// `clip_g`. Throws Error for a token without vectors.
[[nodiscard]] TensorSet token_set(const TensorMap& tensors, const std::string& token);

/// The same with its file's name: learned_embeds.safetensors or, in the form with two, which does not store the
/// token's name, <token>.safetensors where that can be a file's.
[[nodiscard]] std::pair<std::string, TensorSet> token_file(const TensorMap& tensors, const std::string& token);

/// The token where it can be the name of a file, else `otherwise`.
[[nodiscard]] std::string token_stem(const std::string& token, const std::string& otherwise);

}  // namespace atelier
