#pragma once

#include <cstdint>

namespace atelier {

/// Height and width of a feature map.
struct FeatureSize {
  std::int64_t height = 0, width = 0;

  [[nodiscard]] std::int64_t pixels() const { return height * width; }
  /// After one downsampler of the UNet.
  [[nodiscard]] FeatureSize halved() const { return {(height + 1) / 2, (width + 1) / 2}; }
};

/// The size of the UNet's map with so many pixels, for latents of this size. Throws Error when there is none.
[[nodiscard]] FeatureSize feature_size(FeatureSize latents, std::int64_t pixels);

}  // namespace atelier
