#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "framework/tensor/tensor.h"

namespace atelier {

/// Sees the attention probabilities of one layer: name, [B, heads, queries, keys] float32 (float64 when computed so),
/// in the graph. A call without an observer never forms them.
using AttentionObserver = std::function<void(std::string_view layer, const Tensor& probabilities)>;

struct AttentionOptions {
  std::int64_t heads = 1;
  Tensor bias;  ///< added to the logits, broadcastable to [B, heads, N, L]; undefined: none
  bool causal = false;
  const AttentionObserver* observer = nullptr;  ///< borrowed for the call
  std::string_view layer;                       ///< what the observer is told
};

/// softmax(q kᵀ / sqrt(head size) + bias) v, head by head.
/// q [B, N, heads·d], k and v [B, L, heads·d] -> [B, N, heads·d].
[[nodiscard]] Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options);

}  // namespace atelier
