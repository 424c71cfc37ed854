#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace atelier {

struct Size {
  int width = 0;
  int height = 0;
  bool operator==(const Size&) const = default;
};

/// A picture in memory: `pixels` is [height, width, Channels], row by row, channels interleaved.
template <typename Value, int Channels>
struct Raster {
  using value_type = Value;
  static constexpr int kChannels = Channels;

  int width = 0;
  int height = 0;
  std::vector<Value> pixels;

  [[nodiscard]] Size size() const { return {width, height}; }
  [[nodiscard]] std::size_t stride() const { return static_cast<std::size_t>(width) * Channels; }
  [[nodiscard]] const Value* row(int y) const { return pixels.data() + stride() * static_cast<std::size_t>(y); }
  [[nodiscard]] Value* row(int y) { return pixels.data() + stride() * static_cast<std::size_t>(y); }
  bool operator==(const Raster&) const = default;
};

using Image = Raster<std::uint8_t, 3>;      ///< 8-bit RGB
using GreyImage = Raster<std::uint8_t, 1>;  ///< one 8-bit channel
using Mask = GreyImage;                     ///< foreground where the value reaches a threshold
using FloatImage = Raster<float, 3>;        ///< RGB, 0..255 unless a function says otherwise

template <typename Picture>
[[nodiscard]] Picture make_raster(Size size) {
  Picture picture{size.width, size.height, {}};
  picture.pixels.resize(picture.stride() * static_cast<std::size_t>(size.height));
  return picture;
}

struct Colour {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  bool operator==(const Colour&) const = default;
};

}  // namespace atelier
