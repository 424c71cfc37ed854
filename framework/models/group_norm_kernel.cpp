// No header with inline code: these loops are compiled once for each instruction set (target_clones), and what the
// linker keeps for the rest of the program must not be.
#include "framework/models/group_norm_kernel.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ATELIER_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ATELIER_CLONES
#endif

namespace atelier::group_norm {
namespace {

constexpr std::int64_t kPixelBlock = 64;  // pixels that are summed up in float32; their sums in float64

union Bits {
  std::uint32_t bits;
  float value;
};

inline float load(float x) { return x; }
inline float load(std::uint16_t x) { return Bits{.bits = static_cast<std::uint32_t>(x) << 16}.value; }

inline void store(float x, float& to) { to = x; }
inline void store(float x, std::uint16_t& to) {  // to the nearest, ties to even; NaN stays one
  const std::uint32_t bits = [&] {
    Bits b{};
    b.value = x;
    return b.bits;
  }();
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  to = static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? (bits >> 16) | 0x40u : rounded);
}

/// a[c] and b[c] in float32 over a block of pixels, then added to float64 sums.
struct Sums {
  alignas(64) float a[kChannelBlock];
  alignas(64) float b[kChannelBlock];
};

template <typename T>
inline __attribute__((always_inline)) void moments_loop(const T* x, const Shape& shape, std::int64_t first,
                                                        std::int64_t count, float* shift, double* sum, double* square) {
  x += first;
  for (std::int64_t c = 0; c < count; ++c) {
    shift[c] = load(x[c]);
    sum[c] = square[c] = 0.0;
  }
  Sums sums;
  for (std::int64_t begin = 0; begin < shape.pixels; begin += kPixelBlock) {
    const std::int64_t end = begin + kPixelBlock < shape.pixels ? begin + kPixelBlock : shape.pixels;
    for (std::int64_t c = 0; c < kChannelBlock; ++c) sums.a[c] = sums.b[c] = 0.0f;
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      const T* row = x + pixel * shape.channels;
      for (std::int64_t c = 0; c < count; ++c) {
        const float value = load(row[c]) - shift[c];
        sums.a[c] += value;
        sums.b[c] += value * value;
      }
    }
    for (std::int64_t c = 0; c < count; ++c) {
      sum[c] += static_cast<double>(sums.a[c]);
      square[c] += static_cast<double>(sums.b[c]);
    }
  }
}

template <typename T>
inline __attribute__((always_inline)) void scale_loop(const T* x, const Shape& shape, std::int64_t first,
                                                      std::int64_t last, const float* scale, const float* offset,
                                                      T* y) {
  for (std::int64_t pixel = first; pixel < last; ++pixel) {
    const T* from = x + pixel * shape.channels;
    T* to = y + pixel * shape.channels;
    for (std::int64_t c = 0; c < shape.channels; ++c) store(load(from[c]) * scale[c] + offset[c], to[c]);
  }
}

template <typename T>
inline __attribute__((always_inline)) void gradient_loop(const T* dy, const T* x, const Shape& shape,
                                                         std::int64_t first, std::int64_t count, const float* mean,
                                                         double* sum, double* product) {
  dy += first;
  x += first;
  mean += first;
  for (std::int64_t c = 0; c < count; ++c) sum[c] = product[c] = 0.0;
  Sums sums;
  for (std::int64_t begin = 0; begin < shape.pixels; begin += kPixelBlock) {
    const std::int64_t end = begin + kPixelBlock < shape.pixels ? begin + kPixelBlock : shape.pixels;
    for (std::int64_t c = 0; c < kChannelBlock; ++c) sums.a[c] = sums.b[c] = 0.0f;
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      const T* gradient = dy + pixel * shape.channels;
      const T* row = x + pixel * shape.channels;
      for (std::int64_t c = 0; c < count; ++c) {
        const float value = load(gradient[c]);
        sums.a[c] += value;
        sums.b[c] += value * (load(row[c]) - mean[c]);
      }
    }
    for (std::int64_t c = 0; c < count; ++c) {
      sum[c] += static_cast<double>(sums.a[c]);
      product[c] += static_cast<double>(sums.b[c]);
    }
  }
}

template <typename T>
inline __attribute__((always_inline)) void input_loop(const T* dy, const T* x, const Shape& shape, std::int64_t first,
                                                      std::int64_t last, const float* mean, const float* scale,
                                                      const float* slope, const float* offset, T* dx) {
  for (std::int64_t pixel = first; pixel < last; ++pixel) {
    const std::int64_t at = pixel * shape.channels;
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      const float value = load(dy[at + c]) * scale[c] + (load(x[at + c]) - mean[c]) * slope[c] + offset[c];
      store(value, dx[at + c]);
    }
  }
}

}  // namespace

ATELIER_CLONES void moments(const float* x, const Shape& shape, std::int64_t first, std::int64_t count, float* shift,
                            double* sum, double* square) {
  moments_loop(x, shape, first, count, shift, sum, square);
}
ATELIER_CLONES void moments(const std::uint16_t* x, const Shape& shape, std::int64_t first, std::int64_t count,
                            float* shift, double* sum, double* square) {
  moments_loop(x, shape, first, count, shift, sum, square);
}

ATELIER_CLONES void scale_and_offset(const float* x, const Shape& shape, std::int64_t first, std::int64_t last,
                                     const float* scale, const float* offset, float* y) {
  scale_loop(x, shape, first, last, scale, offset, y);
}
ATELIER_CLONES void scale_and_offset(const std::uint16_t* x, const Shape& shape, std::int64_t first, std::int64_t last,
                                     const float* scale, const float* offset, std::uint16_t* y) {
  scale_loop(x, shape, first, last, scale, offset, y);
}

ATELIER_CLONES void gradient_sums(const float* dy, const float* x, const Shape& shape, std::int64_t first,
                                  std::int64_t count, const float* mean, double* sum, double* product) {
  gradient_loop(dy, x, shape, first, count, mean, sum, product);
}
ATELIER_CLONES void gradient_sums(const std::uint16_t* dy, const std::uint16_t* x, const Shape& shape,
                                  std::int64_t first, std::int64_t count, const float* mean, double* sum,
                                  double* product) {
  gradient_loop(dy, x, shape, first, count, mean, sum, product);
}

ATELIER_CLONES void input_gradient(const float* dy, const float* x, const Shape& shape, std::int64_t first,
                                   std::int64_t last, const float* mean, const float* scale, const float* slope,
                                   const float* offset, float* dx) {
  input_loop(dy, x, shape, first, last, mean, scale, slope, offset, dx);
}
ATELIER_CLONES void input_gradient(const std::uint16_t* dy, const std::uint16_t* x, const Shape& shape,
                                   std::int64_t first, std::int64_t last, const float* mean, const float* scale,
                                   const float* slope, const float* offset, std::uint16_t* dx) {
  input_loop(dy, x, shape, first, last, mean, scale, slope, offset, dx);
}

}  // namespace atelier::group_norm
