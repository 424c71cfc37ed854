#pragma once

#include <functional>
#include <vector>

#include "framework/tensor/tensor.h"

namespace atelier {

/// Activation checkpointing (Chen et al. 2016, arXiv:1604.06174): runs f(x, condition) without recording, and once more
/// with recording in the backward pass. Whatever else needs a gradient must be a leaf (a parameter inside f): both
/// inputs get theirs by value. f must be deterministic. Without gradient mode this is just f(x, condition).
[[nodiscard]] Tensor activation_checkpoint(const std::function<Tensor(const Tensor&, const Tensor&)>& f,
                                           const Tensor& x, const Tensor& condition);

/// The same for a function of several results, each of which may get a gradient.
[[nodiscard]] std::vector<Tensor> activation_checkpoint(
    const std::function<std::vector<Tensor>(const Tensor&, const Tensor&)>& f, const Tensor& x,
    const Tensor& condition);

}  // namespace atelier
