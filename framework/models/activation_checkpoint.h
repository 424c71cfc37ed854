#pragma once

#include <functional>
#include <vector>

#include "framework/tensor/tensor.h"

namespace atelier {

/// Activation checkpointing (Chen et al. 2016, arXiv:1604.06174): runs f(x, condition), forgets how, and runs it once
/// more in the backward pass. The result has the bits of f(x, condition); gradients are its own but for the order in
/// which those of one input are added up. Whatever else needs a gradient must be a leaf (a parameter inside f): both
/// inputs get theirs by value. f must be deterministic. Without gradient mode, and where nothing in f needs a gradient,
/// this is just f(x, condition).
[[nodiscard]] Tensor activation_checkpoint(const std::function<Tensor(const Tensor&, const Tensor&)>& f,
                                           const Tensor& x, const Tensor& condition);

/// The same for a function of several results, each of which may get a gradient.
[[nodiscard]] std::vector<Tensor> activation_checkpoint(
    const std::function<std::vector<Tensor>(const Tensor&, const Tensor&)>& f, const Tensor& x,
    const Tensor& condition);

}  // namespace atelier
