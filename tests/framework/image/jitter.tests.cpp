#include "framework/image/jitter.h"

#include <catch2/catch.hpp>

using namespace atelier;

// Expected digests: make_jitter_references.py, with Pillow 12.3.
namespace {

Image pattern() {
  Image image = make_raster<Image>({16, 16});
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 16; ++x) {
      std::uint8_t* pixel = image.row(y) + 3 * x;
      pixel[0] = static_cast<std::uint8_t>((x * 37 + y * 11) % 256);
      pixel[1] = static_cast<std::uint8_t>((x * 5 + y * 59) % 256);
      pixel[2] = static_cast<std::uint8_t>((x * y * 7) % 256);
    }
  }
  return image;
}

/// FNV-1a, 64 bits.
std::uint64_t digest(const Image& image) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const std::uint8_t byte : image.pixels) value = (value ^ byte) * 0x100000001b3;
  return value;
}

struct Expected {
  double factor;
  std::uint64_t brightness, contrast;
};

}  // namespace

TEST_CASE("brightness and contrast are Pillow's, byte for byte", "[image][jitter]") {
  const auto [factor, brightness, contrast] = GENERATE(values<Expected>({
      {0.8, 0x0e7985e77a69b120, 0xd19b35f9d6f1f7b9},
      {0.93, 0x8849855b99ed42a4, 0xa8618900fc0cdc97},
      {1.0, 0x6d1a25bf693c96c5, 0x6d1a25bf693c96c5},
      {1.07, 0xd784e1caf455a13d, 0xc35d3b8247c504bf},
      {1.2, 0x761118cc6853bc67, 0x850bd84a288599b7},
  }));
  Image bright = pattern(), contrasted = pattern();
  adjust_brightness_(bright, factor);
  adjust_contrast_(contrasted, factor);
  CHECK(digest(bright) == brightness);
  CHECK(digest(contrasted) == contrast);
}

TEST_CASE("jitter rounds to 8 bits between its two steps, so their order matters", "[image][jitter]") {
  Image first = pattern(), second = pattern();
  jitter_(first, {.brightness = 1.13, .contrast = 0.92, .brightness_first = true});
  jitter_(second, {.brightness = 1.13, .contrast = 0.92, .brightness_first = false});
  CHECK(digest(first) == 0x0bf12a7b991b234f);
  CHECK(digest(second) == 0x68753d5a517565ab);
}
