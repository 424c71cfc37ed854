#pragma once

#include "framework/tensor/tensor.h"

namespace atelier::group_norm {

/// Whether `x` is what our kernel is for: [B, C, H, W] in channels-last order on the CPU, float32 or bfloat16. ATen
/// walks over such a tensor one channel of one pixel at a time: a third of a small UNet's time.
[[nodiscard]] bool supports(const Tensor& x);

/// Group normalisation (Wu & He 2018, arXiv:1803.08494) of an `x` that supports() accepts: x̂ = (x - μ_g) / √(σ²_g +
/// eps), y = x̂ · weight + bias; weight and bias [C] float32. Differentiable once in all three. Sums are of blocks in
/// float32 and of these in float64; a picture's result depends neither on its batch nor on the number of threads.
[[nodiscard]] Tensor normalise(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                               double eps);

}  // namespace atelier::group_norm
