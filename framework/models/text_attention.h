#pragma once

#include <cstdint>

#include "framework/tensor/tensor.h"

namespace atelier {

/// A change of one layer's causal self-attention over L text positions. Everything is optional; what is undefined
/// changes nothing. Tensors may require a gradient and are cast to the layer's type.
struct TextAttentionEdit {
  Tensor bias;                        ///< [B or 1, 1, L, L] added to the logits; may hold -inf
  bool replaces_causal_mask = false;  ///< `bias` stands alone instead of being added to the causal mask
  Tensor extra_keys, extra_values;  ///< [P, D] each, already projected, seen by every position, in front of the text's
  double extra_logit = 0.0;         ///< added to the logits of the extra keys (before softmax, after 1/sqrt(head size))
  Tensor rows;  ///< [B] bool: rows that are edited; the others are the plain encoder's. Undefined: all
};

/// softmax(q kᵀ / sqrt(head size) + causal mask) v, edited where `edit` is given (null: the plain causal kernel).
/// q, k, v [B, L, heads·d] -> the same shape. Throws Error when the edit's shapes do not fit.
[[nodiscard]] Tensor text_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads,
                                    const TextAttentionEdit* edit);

}  // namespace atelier
