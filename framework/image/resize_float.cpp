#include <array>
#include <cmath>

#include "framework/image/resample.h"

namespace atelier::image_detail {
namespace {

/// Pillow's mode F: sums in double, stored as float between the passes.
struct DoubleKernel {
  using Sum = double;
  static constexpr Sum kStart = 0.0;
  static float finish(Sum sum) { return static_cast<float>(sum); }
};

/// ATen: float throughout.
struct FloatKernel {
  using Sum = float;
  static constexpr Sum kStart = 0.0f;
  static float finish(Sum sum) { return sum; }
};

// The two pieces of the cubic kernel. Near its ends the terms cancel, and rounding shows as 1e-4 on a scale of 255; so
// they are fused as in ATen's kernels, which are compiled for processors with FMA. There the last step of the far piece
// came out fused in the antialiased kernel only.
float cubic_near(float x, float a) { return std::fma(std::fma(a + 2, x, -(a + 3)) * x, x, 1.0f); }
float cubic_far_but_last(float x, float a) { return std::fma(std::fma(a, x, -5 * a), x, 8 * a); }
float cubic_far(float x, float a) { return cubic_far_but_last(x, a) * x - 4 * a; }

float antialias_cubic(float x) {
  constexpr float a = -0.5f;
  x = std::abs(x);
  if (x < 1.0f) return cubic_near(x, a);
  return x < 2.0f ? std::fma(cubic_far_but_last(x, a), x, -4 * a) : 0.0f;
}

/// Four clamped neighbours and their weights for one output position.
struct CubicTap {
  std::array<int, 4> index;
  std::array<float, 4> weight;
};

std::vector<CubicTap> cubic_taps(int in, int out) {
  constexpr float a = -0.75f;
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  std::vector<CubicTap> taps(static_cast<std::size_t>(out));
  for (int i = 0; i < out; ++i) {
    const float position = std::fma(scale, static_cast<float>(i) + 0.5f, -0.5f);
    const int floor = std::min(static_cast<int>(std::floor(position)), in - 1);
    const float t = std::clamp(position - static_cast<float>(floor), 0.0f, 1.0f);
    CubicTap& tap = taps[std::size_t(i)];
    for (int k = 0; k < 4; ++k) tap.index[std::size_t(k)] = std::clamp(floor - 1 + k, 0, in - 1);
    tap.weight = {cubic_far(t + 1, a), cubic_near(t, a), cubic_near(1 - t, a), cubic_far(2 - t, a)};
  }
  return taps;
}

}  // namespace

FloatImage resize_pilf_bicubic(const FloatImage& in, Size size, int threads) {
  const auto make_taps = [](int from, int to) { return antialias_taps<double>(from, to, 2.0, cubic_filter); };
  FloatImage out = resample<DoubleKernel>(in, size, make_taps, threads);
  for (float& value : out.pixels) value = std::clamp(value, 0.0f, 255.0f);
  return out;
}

FloatImage resize_t_bicubic_aa(const FloatImage& in, Size size, int threads) {
  const auto make_taps = [](int from, int to) { return antialias_taps<float>(from, to, 2.0f, antialias_cubic); };
  return resample<FloatKernel>(in, size, make_taps, threads);
}

FloatImage resize_t_bicubic(const FloatImage& in, Size size, int threads) {
  const auto columns = cubic_taps(in.width, size.width);
  const auto rows = cubic_taps(in.height, size.height);
  FloatImage out = make_raster<FloatImage>(size);
  parallel_rows(size.height, threads, [&](int, int first, int last) {
    for (int y = first; y < last; ++y) {
      const CubicTap& down = rows[std::size_t(y)];
      float* target = out.row(y);
      for (const CubicTap& across : columns) {
        for (int c = 0; c < 3; ++c) {
          float sum = 0;
          for (std::size_t j = 0; j < 4; ++j) {
            const float* source = in.row(down.index[j]) + c;
            float line = 0;
            for (std::size_t k = 0; k < 4; ++k) line += source[3 * std::ptrdiff_t(across.index[k])] * across.weight[k];
            sum += line * down.weight[j];
          }
          *target++ = sum;
        }
      }
    }
  });
  return out;
}

}  // namespace atelier::image_detail
