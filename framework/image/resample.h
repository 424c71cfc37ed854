#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "framework/image/image.h"
#include "framework/image/parallel.h"
#include "framework/image/resize.h"

// Internal: the separable resampler that all methods but nearest share.
namespace atelier::image_detail {

/// For every output position of one axis: which input positions it sums, and with what weights.
template <typename Weight>
struct Taps {
  std::vector<int> first;
  std::vector<int> count;
  std::vector<Weight> weights;  ///< [outputs, stride]
  int stride = 0;

  [[nodiscard]] const Weight* of(int i) const { return weights.data() + std::size_t(i) * std::size_t(stride); }
};

/// evaluation.md's "AA-resample": weights of a filter stretched by the reduction, normalised to sum 1. `Real` is the
/// precision in which the reference computes positions (double in Pillow, float in ATen); the rounding of every step
/// follows it, because at 4000 pixels a float centre is off by 1e-4.
template <typename Real, typename Filter>
Taps<Real> antialias_taps(int in, int out, Real filter_support, const Filter& filter) {
  const Real scale = static_cast<Real>(in) / static_cast<Real>(out);
  const Real stretch = std::max(scale, Real{1});
  const Real support = filter_support * stretch;
  const Real inverse = Real{1} / stretch;
  Taps<Real> taps;
  taps.stride = std::min(in, static_cast<int>(support) * 2 + 3);
  taps.weights.assign(std::size_t(out) * std::size_t(taps.stride), Real{0});
  for (int i = 0; i < out; ++i) {
    const auto centre = static_cast<Real>(static_cast<double>(scale) * (i + 0.5));
    const int low = std::max(0, static_cast<int>(static_cast<double>(centre - support) + 0.5));
    const int high = std::min(in, static_cast<int>(static_cast<double>(centre + support) + 0.5));
    Real* weights = taps.weights.data() + std::size_t(i) * std::size_t(taps.stride);
    Real sum = 0;
    for (int j = low; j < high; ++j) {
      const double offset = static_cast<double>(static_cast<Real>(j) - centre) + 0.5;
      weights[j - low] = filter(static_cast<Real>(offset * static_cast<double>(inverse)));
      sum += weights[j - low];
    }
    for (int j = low; j < high && sum != Real{0}; ++j) weights[j - low] /= sum;
    taps.first.push_back(low);
    taps.count.push_back(high - low);
  }
  return taps;
}

/// Horizontal pass. `Kernel` has Sum, kStart and finish(Sum).
template <typename Kernel, typename Value, int Channels, typename Weight>
Raster<Value, Channels> resample_rows(const Raster<Value, Channels>& in, int width, const Taps<Weight>& taps,
                                      int threads) {
  auto out = make_raster<Raster<Value, Channels>>({width, in.height});
  parallel_rows(in.height, threads, [&](int, int first, int last) {
    for (int y = first; y < last; ++y) {
      const Value* row = in.row(y);
      Value* target = out.row(y);
      for (int x = 0; x < width; ++x, target += Channels) {
        const Weight* weights = taps.of(x);
        const Value* source = row + std::ptrdiff_t(taps.first[std::size_t(x)]) * Channels;
        typename Kernel::Sum sums[Channels];
        std::fill_n(sums, Channels, Kernel::kStart);
        for (int j = 0; j < taps.count[std::size_t(x)]; ++j, source += Channels) {
          for (int c = 0; c < Channels; ++c) sums[c] += static_cast<typename Kernel::Sum>(source[c]) * weights[j];
        }
        for (int c = 0; c < Channels; ++c) target[c] = Kernel::finish(sums[c]);
      }
    }
  });
  return out;
}

/// Vertical pass: whole rows are added up, so that the inner loop runs over contiguous values.
template <typename Kernel, typename Value, int Channels, typename Weight>
Raster<Value, Channels> resample_columns(const Raster<Value, Channels>& in, int height, const Taps<Weight>& taps,
                                         int threads) {
  auto out = make_raster<Raster<Value, Channels>>({in.width, height});
  const std::size_t stride = in.stride();
  std::vector<typename Kernel::Sum> scratch(stride * std::size_t(std::max(threads, 1)));  // one row for each part
  parallel_rows(height, threads, [&](int part, int first, int last) {
    auto* sums = scratch.data() + stride * std::size_t(part);
    for (int y = first; y < last; ++y) {
      std::fill_n(sums, stride, Kernel::kStart);
      for (int j = 0; j < taps.count[std::size_t(y)]; ++j) {
        const Value* row = in.row(taps.first[std::size_t(y)] + j);
        const Weight weight = taps.of(y)[j];
        for (std::size_t i = 0; i < stride; ++i) sums[i] += static_cast<typename Kernel::Sum>(row[i]) * weight;
      }
      Value* target = out.row(y);
      for (std::size_t i = 0; i < stride; ++i) target[i] = Kernel::finish(sums[i]);
    }
  });
  return out;
}

/// Both passes, horizontal first. make_taps(in, out) gives the weights of one axis; a pass that keeps its size is
/// skipped.
template <typename Kernel, typename Value, int Channels, typename MakeTaps>
Raster<Value, Channels> resample(const Raster<Value, Channels>& in, Size size, const MakeTaps& make_taps, int threads) {
  if (size == in.size()) return in;
  if (size.width == in.width) {
    return resample_columns<Kernel>(in, size.height, make_taps(in.height, size.height), threads);
  }
  auto wide = resample_rows<Kernel>(in, size.width, make_taps(in.width, size.width), threads);
  if (size.height == in.height) return wide;
  return resample_columns<Kernel>(wide, size.height, make_taps(in.height, size.height), threads);
}

// The methods, by the arithmetic they need. Sizes are checked by the caller.
template <int Channels>
Raster<std::uint8_t, Channels> resize_eight_bit(const Raster<std::uint8_t, Channels>& in, Size size,
                                                ResizeMethod method, int threads);
FloatImage resize_pilf_bicubic(const FloatImage& in, Size size, int threads);
FloatImage resize_t_bicubic(const FloatImage& in, Size size, int threads);
FloatImage resize_t_bicubic_aa(const FloatImage& in, Size size, int threads);

/// Pillow's filters in double; they vanish outside their support.
double box_filter(double x);
double triangle_filter(double x);
double cubic_filter(double x);
double lanczos_filter(double x);

}  // namespace atelier::image_detail
