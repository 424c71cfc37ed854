#pragma once

#include <array>
#include <cstddef>

#include "framework/image/front_ends.h"

// Internal: from interleaved pixels to planar, normalised floats.
namespace atelier::image_detail {

struct Normalisation {
  std::array<float, 3> mean;
  std::array<float, 3> deviation;
};

inline constexpr Normalisation kClip{{0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}};
inline constexpr Normalisation kImageNet{{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
inline constexpr Normalisation kHalf{{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}};
inline constexpr Normalisation kInception{{128.0f, 128.0f, 128.0f}, {128.0f, 128.0f, 128.0f}};

/// (value(pixel) - mean) / deviation as [1, 3, H, W].
template <typename Picture, typename Value>
PixelValues normalise(const Picture& picture, const Normalisation& constants, const Value& value) {
  const std::size_t area = picture.pixels.size() / 3;
  PixelValues out{std::vector<float>(picture.pixels.size()), {1, 3, picture.height, picture.width}};
  for (std::size_t c = 0; c < 3; ++c) {
    float* plane = out.values.data() + c * area;
    for (std::size_t i = 0; i < area; ++i) {
      plane[i] = (value(picture.pixels[3 * i + c]) - constants.mean[c]) / constants.deviation[c];
    }
  }
  return out;
}

/// torchvision's ToTensor.
inline float unit_value(std::uint8_t pixel) { return static_cast<float>(pixel) / 255.0f; }

}  // namespace atelier::image_detail
