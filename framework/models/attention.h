#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "framework/tensor/tensor.h"

namespace atelier {

/// Sees the attention probabilities of one layer: name, [B, heads, queries, keys] float32 (float64 when computed so),
/// in the graph. A call without an observer never forms them.
using AttentionObserver = std::function<void(std::string_view layer, const Tensor& probabilities)>;

/// Changes the attention probabilities of layers while pictures are made (without gradient).
class AttentionEditor {
 public:
  virtual ~AttentionEditor() = default;
  /// Whether this layer, with so many queries, is to be edited now; the others take the fused kernel.
  [[nodiscard]] virtual bool wants(std::string_view layer, std::int64_t queries) const = 0;
  /// [B, heads, queries, keys] -> what the values are summed with, of the same shape and type.
  [[nodiscard]] virtual Tensor edit(std::string_view layer, const Tensor& probabilities) = 0;
};

struct AttentionOptions {
  std::int64_t heads = 1;
  Tensor bias = {};  ///< added to the logits, broadcastable to [B, heads, N, L]; undefined: none
  bool causal = false;
  const AttentionObserver* observer = nullptr;  ///< borrowed for the call
  bool observe_apart =
      false;  ///< the output is the fused kernel's, as without an observer: the maps are formed beside it
  AttentionEditor* editor = nullptr;  ///< borrowed for the call; the observer sees what it made
  std::string_view layer = {};        ///< what observer and editor are told
};

/// softmax(q kᵀ / sqrt(head size) + bias) v, head by head.
/// q [B, N, heads·d], k and v [B, L, heads·d] -> [B, N, heads·d].
[[nodiscard]] Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options);

}  // namespace atelier
