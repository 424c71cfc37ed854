#include <cmath>
#include <cstdint>
#include <numbers>

#include "framework/image/resample_rgb.h"

namespace atelier::image_detail {

struct Filter {
  double (*function)(double);
  double support;
};

namespace {

constexpr int kFractionBits = 22;  // 32 - 8 - 2, so that sums with overshoot fit

/// Fixed point: weights times 2^22, half added before the shift, clamped to 8 bit.
struct FixedKernel {
  using Sum = std::int32_t;
  static constexpr Sum kStart = 1 << (kFractionBits - 1);
  static std::uint8_t finish(Sum sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }
};

/// Rounded half away from zero, as Pillow rounds them.
Taps<std::int32_t> to_fixed(const Taps<double>& taps) {
  Taps<std::int32_t> fixed{taps.first, taps.count, {}, taps.stride};
  fixed.weights.reserve(taps.weights.size());
  for (const double weight : taps.weights) {
    const double half = weight < 0 ? -0.5 : 0.5;
    fixed.weights.push_back(static_cast<std::int32_t>(half + weight * (1 << kFractionBits)));
  }
  return fixed;
}

Filter filter_of(ResizeMethod method) {
  switch (method) {
    case ResizeMethod::pil_box:
      return {box_filter, 0.5};
    case ResizeMethod::pil_bilinear:
      return {triangle_filter, 1.0};
    case ResizeMethod::pil_lanczos:
      return {lanczos_filter, 3.0};
    default:
      return {cubic_filter, 2.0};
  }
}

/// The source position of every output position; Pillow adds up the step, so its rounding accumulates.
std::vector<int> nearest_positions(int in, int out) {
  const double step = static_cast<double>(in) / out;
  std::vector<int> positions;
  double position = step * 0.5;
  for (int i = 0; i < out; ++i, position += step) positions.push_back(std::min(static_cast<int>(position), in - 1));
  return positions;
}

template <int Channels>
Raster<std::uint8_t, Channels> resize_nearest(const Raster<std::uint8_t, Channels>& in, Size size) {
  const auto columns = nearest_positions(in.width, size.width);
  const auto rows = nearest_positions(in.height, size.height);
  auto out = make_raster<Raster<std::uint8_t, Channels>>(size);
  for (int y = 0; y < size.height; ++y) {
    const std::uint8_t* source = in.row(rows[std::size_t(y)]);
    std::uint8_t* target = out.row(y);
    for (const int column : columns) target = std::copy_n(source + std::ptrdiff_t(column) * Channels, Channels, target);
  }
  return out;
}

/// resample() with the passes of resample_rgb.h.
template <typename MakeTaps>
Image resize_rgb_avx2(const Image& in, Size size, const MakeTaps& make_taps, int threads) {
  if (size == in.size()) return in;
  const auto columns = [&](const Image& picture) {
    return resample_columns_avx2(picture, size.height, make_taps(in.height, size.height), threads);
  };
  if (size.width == in.width) return columns(in);
  Image wide = resample_rows_avx2(in, size.width, make_taps(in.width, size.width), threads);
  return size.height == in.height ? wide : columns(wide);
}

}  // namespace

double box_filter(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double triangle_filter(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double cubic_filter(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double lanczos_filter(double x) {
  const auto sinc = [](double value) {
    if (value == 0.0) return 1.0;
    value *= std::numbers::pi;
    return std::sin(value) / value;
  };
  return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

template <int Channels>
Raster<std::uint8_t, Channels> resize_eight_bit(const Raster<std::uint8_t, Channels>& in, Size size,
                                                ResizeMethod method, int threads) {
  if (method == ResizeMethod::pil_nearest) return resize_nearest(in, size);
  const Filter filter = filter_of(method);
  const auto make_taps = [&](int from, int to) {
    return to_fixed(antialias_taps<double>(from, to, filter.support, filter.function));
  };
  if constexpr (Channels == 3) {
    if (has_avx2()) return resize_rgb_avx2(in, size, make_taps, threads);
  }
  return resample<FixedKernel>(in, size, make_taps, threads);
}

template Raster<std::uint8_t, 1> resize_eight_bit(const Raster<std::uint8_t, 1>&, Size, ResizeMethod, int);
template Raster<std::uint8_t, 3> resize_eight_bit(const Raster<std::uint8_t, 3>&, Size, ResizeMethod, int);
template Raster<std::uint8_t, 4> resize_eight_bit(const Raster<std::uint8_t, 4>&, Size, ResizeMethod, int);

}  // namespace atelier::image_detail
