#pragma once

#include <vector>

#include "framework/training/stage.h"
#include "plugins/attndreambooth/settings.h"

namespace atelier::attndreambooth {

/// How far one layer's attention to the new token is from that to the word behind it: [1 or 2, rows], the mean over the
/// token's vectors i of (μ_{p+i} − μ_{p+n})² and, with `var`, of (σ²_{p+i} − σ²_{p+n})². Statistics over all heads and
/// pixels of a map, nothing detached; the variance is the unbiased one.
///
/// probabilities: [rows, heads, pixels, tokens], after the softmax. positions: [rows] int64, p, the place of the
/// token's first vector. vectors: n.
[[nodiscard]] Tensor attention_gaps(const Tensor& probabilities, const Tensor& positions, std::int64_t vectors,
                                    bool var);

/// The regulariser's terms of one piece of a batch, from the gaps of all layers: `attn_mean` and `attn_var`, each the
/// mean over layers, to be summed over the rows that show the concept. A term of weight 0 is left out.
[[nodiscard]] Terms regularizer_terms(const std::vector<Tensor>& layers, const RegularizerWeights& weights);

}  // namespace atelier::attndreambooth
