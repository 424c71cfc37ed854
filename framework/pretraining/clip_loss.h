#pragma once

#include "framework/pretraining/base_recipe.h"
#include "framework/tensor/tensor.h"

namespace atelier {

/// Symmetric InfoNCE (Radford et al. 2021, Figure 3) of two sets of vectors [B, F] in one space: row i of one belongs
/// to the rows of the other where targets [B, B] (symmetric, rows of sum 1) say so. `logit_scale`: a scalar, the
/// logarithm of the inverse temperature; at most ln 100, as published. A float32 scalar.
[[nodiscard]] Tensor contrastive_loss(const Tensor& a, const Tensor& b, const Tensor& targets,
                                      const Tensor& logit_scale);

/// Equal numbers belong together: [B] int64 -> [B, B] float32 whose rows sum to 1 (Yang et al. 2022, arXiv:2204.03610:
/// pictures that happen to have one caption are no negatives of each other).
[[nodiscard]] Tensor equal_targets(const Tensor& numbers);

/// What the two towers made of a batch of B instances with two pictures each.
struct ClipFeatures {
  Tensor images;    ///< [2B, F]: first pictures, then the second ones in the same order
  Tensor texts;     ///< [2B, F]: a caption of each picture
  Tensor captions;  ///< [2B] int64: which caption that was
};

/// caption · InfoNCE(picture, its caption) + instance · InfoNCE(picture, other picture of the instance).
[[nodiscard]] Tensor clip_loss(const ClipFeatures& features, const Tensor& logit_scale,
                               const Tensor& instance_logit_scale, const ClipLossWeights& weights);

}  // namespace atelier
