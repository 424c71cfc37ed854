#include "framework/image/geometry.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numbers>

#include "framework/core/error.h"
#include "framework/image/decoders.h"

namespace atelier {
namespace {

/// Python's round(value, 15), which Pillow applies to the entries of the rotation.
double rounded(double value) { return std::strtod(fmt::format("{:.15f}", value).c_str(), nullptr); }

/// Maps a point of the result to a point of the source: x' = a x + b y + c, y' = d x + e y + f.
struct Affine {
  double a, b, c, d, e, f;
  [[nodiscard]] std::array<double, 2> operator()(double x, double y) const {
    return {a * x + b * y + c, d * x + e * y + f};
  }
};

/// Rotation about the centre, then the canvas that holds the rotated corners.
Affine rotation(Size& size, double degrees) {
  const double angle = -degrees * (std::numbers::pi / 180.0);
  const double width = size.width, height = size.height;
  Affine map{rounded(std::cos(angle)),  rounded(std::sin(angle)), 0,
             rounded(-std::sin(angle)), rounded(std::cos(angle)), 0};
  const auto moved = map(-width / 2.0, -height / 2.0);
  map.c = moved[0] + width / 2.0;
  map.f = moved[1] + height / 2.0;
  const std::array corners{map(0, 0), map(width, 0), map(width, height), map(0, height)};
  const auto extent = [&](std::size_t axis) {
    const auto [low, high] = std::minmax({corners[0][axis], corners[1][axis], corners[2][axis], corners[3][axis]});
    return std::ceil(high) - std::floor(low);
  };
  const double new_width = extent(0), new_height = extent(1);
  const auto shifted = map(-(new_width - width) / 2.0, -(new_height - height) / 2.0);
  map.c = shifted[0];
  map.f = shifted[1];
  image_detail::check_dimensions(static_cast<std::uint64_t>(new_width), static_cast<std::uint64_t>(new_height),
                                 "rotate");
  size = {static_cast<int>(new_width), static_cast<int>(new_height)};
  return map;
}

/// 0 <= degrees < 360.
double full_turns_removed(double degrees) { return degrees - 360.0 * std::floor(degrees / 360.0); }

std::int64_t fixed(double value) { return static_cast<std::int64_t>(std::floor(value * 65536.0 + 0.5)); }

}  // namespace

Size shortest_edge(Size size, int target) {
  if (size.width < 1 || size.height < 1 || target < 1) {
    throw Error({.where = "resize",
                 .found = fmt::format("{}x{} to {}", size.width, size.height, target),
                 .expected = "sizes of at least 1"});
  }
  const auto longer = [target](int longest, int shortest) {
    const std::int64_t side = std::int64_t{target} * longest / shortest;
    image_detail::check_dimensions(static_cast<std::uint64_t>(side), static_cast<std::uint64_t>(target), "resize");
    return static_cast<int>(side);
  };
  if (size.width <= size.height) return {target, longer(size.height, size.width)};
  return {longer(size.width, size.height), target};
}

int crop_offset(int length, int target, CropRule rule) {
  const int rest = length - target;
  if (rule == CropRule::hf || rest % 2 == 0) return rest / 2;
  return rest / 2 + (rest / 2) % 2;  // half to even: 1 -> 0, 3 -> 2, 5 -> 2
}

Box centre_box(Size size, Size target, CropRule rule) {
  const Box box{crop_offset(size.width, target.width, rule), crop_offset(size.height, target.height, rule),
                target.width, target.height};
  check_box(size, box);
  return box;
}

void check_box(Size size, const Box& box) {
  const bool inside = box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0 && box.width <= size.width &&
                      box.height <= size.height && box.left <= size.width - box.width &&
                      box.top <= size.height - box.height;
  if (inside) return;
  throw Error({.where = "crop",
               .found = fmt::format("{}x{} at ({}, {})", box.width, box.height, box.left, box.top),
               .expected = fmt::format("a box inside {}x{}", size.width, size.height)});
}

Image rotate_expanded(const Image& in, double degrees) {
  const double turn = full_turns_removed(degrees);
  if (turn == 0.0) return in;
  if (turn == 90.0) return orient(in, 8);
  if (turn == 180.0) return orient(in, 3);
  if (turn == 270.0) return orient(in, 6);
  Size size = in.size();
  const Affine map = rotation(size, turn);
  Image out = make_raster<Image>(size);
  std::int64_t line_x = fixed(map.c + map.a * 0.5 + map.b * 0.5);
  std::int64_t line_y = fixed(map.f + map.d * 0.5 + map.e * 0.5);
  const std::int64_t step_x = fixed(map.a), step_y = fixed(map.d);
  for (int y = 0; y < out.height; ++y, line_x += fixed(map.b), line_y += fixed(map.e)) {
    std::uint8_t* target = out.row(y);
    std::int64_t from_x = line_x, from_y = line_y;
    for (int x = 0; x < out.width; ++x, target += 3, from_x += step_x, from_y += step_y) {
      const std::int64_t column = from_x >> 16, row = from_y >> 16;
      if (column < 0 || column >= in.width || row < 0 || row >= in.height) continue;
      std::copy_n(in.row(static_cast<int>(row)) + 3 * column, 3, target);
    }
  }
  return out;
}

Size rotated_size(Size size, double degrees) {
  const double turn = full_turns_removed(degrees);
  if (turn == 0.0 || turn == 180.0) return size;
  if (turn == 90.0 || turn == 270.0) return {size.height, size.width};
  (void)rotation(size, turn);
  return size;
}

}  // namespace atelier
