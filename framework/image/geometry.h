#pragma once

#include <algorithm>
#include <cstddef>

#include "framework/image/image.h"

namespace atelier {

/// Shorter side becomes `target`, the longer trunc(target * long / short). Throws Error for an empty size or target.
[[nodiscard]] Size shortest_edge(Size size, int target);

/// Where a centre crop starts when (H - T) is odd: `tv` (torchvision) rounds (H - T) / 2 half to even, `hf`
/// (transformers) takes the floor. They differ when H - T = 3 mod 4.
enum class CropRule { tv, hf };
[[nodiscard]] int crop_offset(int length, int target, CropRule rule);

struct Box {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
  bool operator==(const Box&) const = default;
};
/// Throws Error when the target is larger than the picture.
[[nodiscard]] Box centre_box(Size size, Size target, CropRule rule);

/// Throws Error when the box is empty or leaves a picture of `size`.
void check_box(Size size, const Box& box);

template <typename Value, int Channels>
[[nodiscard]] Raster<Value, Channels> crop(const Raster<Value, Channels>& in, const Box& box) {
  check_box(in.size(), box);
  if (box == Box{0, 0, in.width, in.height}) return in;
  auto out = make_raster<Raster<Value, Channels>>({box.width, box.height});
  for (int y = 0; y < box.height; ++y) {
    std::copy_n(in.row(box.top + y) + static_cast<std::ptrdiff_t>(box.left) * Channels, out.stride(), out.row(y));
  }
  return out;
}

/// EXIF orientation 1..8 applied, so that the result is upright. 2 mirrors left and right, 3 turns by 180 degrees,
/// 4 mirrors top and bottom, 5 transposes, 6 turns clockwise, 7 transposes along the other diagonal, 8 turns
/// counter-clockwise. Any other value returns the picture as it is.
template <typename Value, int Channels>
[[nodiscard]] Raster<Value, Channels> orient(const Raster<Value, Channels>& in, int orientation) {
  if (orientation <= 1 || orientation > 8) return in;
  const bool transposed = orientation >= 5;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  auto out = make_raster<Raster<Value, Channels>>(transposed ? Size{in.height, in.width} : in.size());
  for (int y = 0; y < out.height; ++y) {
    Value* target = out.row(y);
    for (int x = 0; x < out.width; ++x, target += Channels) {
      const int column = transposed ? y : x;
      const int row = transposed ? x : y;
      const int from_x = mirror_x ? in.width - 1 - column : column;
      const int from_y = mirror_y ? in.height - 1 - row : row;
      std::copy_n(in.row(from_y) + static_cast<std::ptrdiff_t>(from_x) * Channels, Channels, target);
    }
  }
  return out;
}

template <typename Value, int Channels>
[[nodiscard]] Raster<Value, Channels> flip_horizontal(const Raster<Value, Channels>& in) {
  return orient(in, 2);
}

/// Counter-clockwise by `degrees` with nearest neighbour on a canvas that grows to hold the whole picture; uncovered
/// corners are black. Equal to Pillow's `rotate(degrees, NEAREST, expand=True)`. Throws Error when the canvas exceeds
/// kMaxPixels.
[[nodiscard]] Image rotate_expanded(const Image& in, double degrees);
/// The size of its result.
[[nodiscard]] Size rotated_size(Size size, double degrees);

}  // namespace atelier
