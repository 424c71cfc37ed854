#pragma once

#include <cstdint>
#include <span>

#include "framework/tensor/tensor.h"

namespace atelier::textreg {

/// The identifier mask of one prompt: the causal mask without what lets the rest of the prompt read the identifier. At
/// each place p of the identifier query p keeps only key p, and of the queries behind it only the `class_tokens`
/// (at least 1) next ones keep key p.
///
/// ids: one prompt's. -> [1, N, N] float32, 0 where a query (row) may read a key, -inf elsewhere.
[[nodiscard]] Tensor identifier_mask(std::span<const std::int64_t> ids, std::int64_t identifier,
                                     std::int64_t class_tokens);
/// The same without an identifier: [1, N, N].
[[nodiscard]] Tensor causal_mask(std::int64_t length);

/// One step of norm decay: the norm of `row` moves by the share min(1, 100 · learning_rate) of its distance to
/// `target_norm`; the direction stays. Changes nothing at all where the rate is 0.
void decay_norm_(const Tensor& row, const Tensor& target_norm, double learning_rate);

}  // namespace atelier::textreg
