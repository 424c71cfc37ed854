#pragma once

#include <cstdint>

#include "framework/tensor/tensor.h"

/// Attention for CPUs with AVX-512 BF16 instructions, bfloat16, inference only. The logits and sums stay in float32 and
/// the [N, L] matrix is never stored (Dao et al. 2022, arXiv:2205.14135). LibTorch's own kernel calls the BLAS for the
/// products, which on AMD CPUs takes most of the time.
namespace atelier::flash {

/// bfloat16 on a CPU that has the instructions, no gradient wanted, head size even and at most 160.
[[nodiscard]] bool supports(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads);

/// q [B, N, heads·d], k and v [B, L, heads·d] -> [B, N, heads·d].
[[nodiscard]] Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads);

}  // namespace atelier::flash
