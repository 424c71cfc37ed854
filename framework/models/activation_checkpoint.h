#pragma once

#include <functional>

#include "framework/tensor/tensor.h"

namespace atelier {

/// Activation checkpointing (Chen et al. 2016, arXiv:1604.06174): runs f(x) without recording, and once more with recording
/// in the backward pass. `f` may use parameters that require a gradient; they receive it. f must be deterministic.
/// Without gradient mode this is just f(x).
[[nodiscard]] Tensor activation_checkpoint(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);

}  // namespace atelier
