#pragma once

#include "framework/models/activations.h"
#include "framework/models/linear.h"

namespace atelier {

/// Sinusoidal embedding of timesteps, always float32 (as the reference): freq_j = exp(-ln 10000 · j / (half - shift)),
/// cosines first when `cosine_first`. timesteps [B], may be fractional -> [B, width] float32.
[[nodiscard]] Tensor sinusoidal_embedding(const Tensor& timesteps, std::int64_t width, bool cosine_first, double shift);

/// linear_1 -> activation -> linear_2.
class EmbeddingMLP {
 public:
  EmbeddingMLP(const Scope& scope, std::int64_t in, std::int64_t out, Activation activation);

  /// [B, in] -> [B, out].
  [[nodiscard]] Tensor forward(const Tensor& x, const AdapterCall* call) const;

 private:
  Activation activation_;
  Linear linear_1_, linear_2_;
};

}  // namespace atelier
