#pragma once

#include <vector>

#include "framework/tensor/tensor.h"

namespace atelier {

/// parts [n·B, …], stacked part by part -> [B, …]: the sum over the n parts of weight times part. One kernel on a GPU
/// that atelier_cuda is loaded for.
[[nodiscard]] Tensor weighted_sum(const Tensor& parts, const std::vector<double>& weights);

}  // namespace atelier
