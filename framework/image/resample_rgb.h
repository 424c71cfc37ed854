#pragma once

#include "framework/image/resample.h"

// Internal: Pillow's 8-bit passes over RGB with AVX2. The sums are the same integers as the plain ones.
namespace atelier::image_detail {

/// Whether this machine has AVX2.
[[nodiscard]] bool has_avx2();

/// Horizontal pass. Only where has_avx2().
[[nodiscard]] Image resample_rows_avx2(const Image& in, int width, const Taps<std::int32_t>& taps, int threads);
/// Vertical pass. Only where has_avx2().
[[nodiscard]] Image resample_columns_avx2(const Image& in, int height, const Taps<std::int32_t>& taps, int threads);

}  // namespace atelier::image_detail
