#pragma once

#include <algorithm>
#include <array>

#include "experiments/pocket/world/arithmetic.h"
#include "experiments/pocket/world/raster.h"

namespace atelier::pocket {

/// 0 to 1 each, in sRGB's own scale: blending is done there, as picture programs do.
struct Rgb {
  float red = 0.0f, green = 0.0f, blue = 0.0f;
};
[[nodiscard]] constexpr Rgb rgb(int red, int green, int blue) {
  return {static_cast<float>(red) / 255.0f, static_cast<float>(green) / 255.0f, static_cast<float>(blue) / 255.0f};
}
[[nodiscard]] constexpr Rgb mix(Rgb a, Rgb b, float t) {
  return {lerp(a.red, b.red, t), lerp(a.green, b.green, t), lerp(a.blue, b.blue, t)};
}
[[nodiscard]] constexpr Rgb operator*(Rgb a, float s) { return {a.red * s, a.green * s, a.blue * s}; }
[[nodiscard]] constexpr float luma(Rgb c) { return 0.299f * c.red + 0.587f * c.green + 0.114f * c.blue; }

/// The picture while it is drawn, with how much of each pixel is the subject.
class Canvas {
 public:
  using Pixels = std::array<Rgb, kSide * kSide>;
  using Matte = std::array<float, kSide * kSide>;

  [[nodiscard]] Pixels& pixels() { return pixels_; }
  [[nodiscard]] const Pixels& pixels() const { return pixels_; }
  [[nodiscard]] const Matte& matte() const { return matte_; }
  void clear() {
    pixels_.fill({});
    matte_.fill(0.0f);
  }
  [[nodiscard]] Rasteriser& rasteriser() { return rasteriser_; }

  /// Rows [top, bottom): from one colour to another.
  void gradient(float top, float bottom, Rgb first, Rgb last);
  void fill(const Path& path, Rgb colour, float opacity = 1.0f);
  /// Draws `colour(x, y)` where `coverage` says; `subject` is what the matte becomes there.
  template <typename Paint>
  void fill(const Coverage& coverage, float opacity, float subject, const Paint& colour) {
    for (int y = coverage.top; y < coverage.bottom; ++y) {
      const float* covered = coverage.row(y);
      for (int x = coverage.left; x < coverage.right; ++x) {
        if (covered[x] <= 0.0f) continue;
        const auto i = static_cast<std::size_t>(y * kSide + x);
        const float weight = covered[x] * opacity;
        pixels_[i] = mix(pixels_[i], colour(x, y), weight);
        matte_[i] = lerp(matte_[i], subject, weight);
      }
    }
  }

 private:
  Pixels pixels_ = {};
  Matte matte_ = {};
  Rasteriser rasteriser_;
};

}  // namespace atelier::pocket
