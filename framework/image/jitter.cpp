#include "framework/image/jitter.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace atelier {
namespace {

/// Pillow's blend of a constant and a picture: float32 arithmetic, cut to 0..255, the fraction dropped.
void blend_(Image& image, std::uint8_t constant, double factor) {
  const auto alpha = static_cast<float>(factor);
  std::array<std::uint8_t, 256> table{};
  for (int value = 0; value < 256; ++value) {
    const float blended = static_cast<float>(constant) + alpha * static_cast<float>(value - static_cast<int>(constant));
    table[static_cast<std::size_t>(value)] = static_cast<std::uint8_t>(std::clamp(blended, 0.0f, 255.0f));
  }
  for (std::uint8_t& value : image.pixels) value = table[value];
}

/// ITU-R 601-2 luma in Pillow's fixed point.
std::uint32_t luma(const std::uint8_t* pixel) {
  return (pixel[0] * 19595u + pixel[1] * 38470u + pixel[2] * 7471u + 0x8000u) >> 16;
}

std::uint8_t mean_luma(const Image& image) {
  const std::size_t count = image.pixels.size() / 3;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += luma(image.pixels.data() + 3 * i);
  const double mean = static_cast<double>(sum) / static_cast<double>(std::max<std::size_t>(count, 1));
  return static_cast<std::uint8_t>(std::floor(mean + 0.5));
}

}  // namespace

void adjust_brightness_(Image& image, double factor) { blend_(image, 0, factor); }

void adjust_contrast_(Image& image, double factor) { blend_(image, mean_luma(image), factor); }

void jitter_(Image& image, const Jitter& jitter) {
  if (jitter.brightness_first) adjust_brightness_(image, jitter.brightness);
  adjust_contrast_(image, jitter.contrast);
  if (!jitter.brightness_first) adjust_brightness_(image, jitter.brightness);
}

}  // namespace atelier
