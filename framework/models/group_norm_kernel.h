#pragma once

#include <cstdint>

namespace atelier::group_norm {

/// Pixels of one picture in channels-last order, [pixels, channels] contiguous, float32 or bfloat16 (as its bits).
struct Shape {
  std::int64_t pixels = 0;
  std::int64_t channels = 0;
};

/// Channels that one task sums up.
inline constexpr std::int64_t kChannelBlock = 64;

/// Sum and sum of squares of x - shift over the pixels, for channels [first, first + count), count <= kChannelBlock.
/// `shift` [count] is the first pixel's value: it takes away what would cancel when the mean is large.
void moments(const float* x, const Shape& shape, std::int64_t first, std::int64_t count, float* shift, double* sum,
             double* square);
void moments(const std::uint16_t* x, const Shape& shape, std::int64_t first, std::int64_t count, float* shift,
             double* sum, double* square);

/// y = x · scale + offset, of pixels [first, last); scale and offset [channels].
void scale_and_offset(const float* x, const Shape& shape, std::int64_t first, std::int64_t last, const float* scale,
                      const float* offset, float* y);
void scale_and_offset(const std::uint16_t* x, const Shape& shape, std::int64_t first, std::int64_t last,
                      const float* scale, const float* offset, std::uint16_t* y);

/// Sum of dy and of dy · (x - mean) over the pixels, for channels [first, first + count); mean [channels].
void gradient_sums(const float* dy, const float* x, const Shape& shape, std::int64_t first, std::int64_t count,
                   const float* mean, double* sum, double* product);
void gradient_sums(const std::uint16_t* dy, const std::uint16_t* x, const Shape& shape, std::int64_t first,
                   std::int64_t count, const float* mean, double* sum, double* product);

/// dx = dy · scale + (x - mean) · slope + offset, of pixels [first, last); all factors [channels].
void input_gradient(const float* dy, const float* x, const Shape& shape, std::int64_t first, std::int64_t last,
                    const float* mean, const float* scale, const float* slope, const float* offset, float* dx);
void input_gradient(const std::uint16_t* dy, const std::uint16_t* x, const Shape& shape, std::int64_t first,
                    std::int64_t last, const float* mean, const float* scale, const float* slope, const float* offset,
                    std::uint16_t* dx);

}  // namespace atelier::group_norm
