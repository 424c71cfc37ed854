#pragma once

#include "framework/tensor/tensor.h"

/// oneDNN by the operators that LibTorch registers for its own compiler: prepacked weights and the routes that ATen's
/// defaults leave out. CPU only; elsewhere, and wherever a gradient is wanted, these fall back to plain ATen.
namespace atelier::onednn {

/// Whether a convolution of x with this weight can use prepacked weights: CPU, float32 or bfloat16, no gradient.
[[nodiscard]] bool packs(const Tensor& x, const Tensor& weight);
[[nodiscard]] Tensor pack_conv2d(const Tensor& weight, at::IntArrayRef input_size, std::int64_t stride,
                                 std::int64_t padding);
[[nodiscard]] Tensor conv2d(const Tensor& x, const Tensor& packed, const Tensor& bias, std::int64_t stride,
                            std::int64_t padding);

/// x Wᵀ + b. In float32 without gradient through oneDNN: on AMD CPUs the wheel's BLAS reaches a third of its rate on
/// the narrow key and value projections.
[[nodiscard]] Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace atelier::onednn
