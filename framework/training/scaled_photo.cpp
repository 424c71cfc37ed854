#include "framework/training/scaled_photo.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/image/resize.h"
#include "framework/training/recipe.h"

namespace atelier {
namespace {

int draw_side(const PhotoScale& scale, int size, Draws& draws) {
  const auto shrunk = draws.happens("scale_shrinks", scale.shrink_probability);
  const int first =
      shrunk ? size / static_cast<int>(scale.smallest_divisor) : static_cast<int>(scale.enlarged_from * size);
  const int end = shrunk ? size + 1 : std::max(static_cast<int>(scale.enlarged_below * size), first + 1);
  return first + static_cast<int>(draws.below("scale_side", end - first));
}

void check(const PhotoPlace& place, int size) {
  const int room = std::abs(size - place.side);
  if (place.side >= 1 && place.top >= 0 && place.left >= 0 && place.top <= room && place.left <= room) return;
  throw Error({.where = "training picture",
               .found = fmt::format("a photo of {} pixels at {}, {}", place.side, place.top, place.left),
               .expected = fmt::format("a place in a picture of {} pixels", size)});
}

}  // namespace

PhotoPlace draw_place(const PhotoScale& scale, int size, Draws& draws) {
  PhotoPlace place{.side = size};
  if (!scale.random) return place;
  place.side = draw_side(scale, size, draws);
  const int room = std::abs(size - place.side);
  place.top = static_cast<int>(draws.below("scale_top", room + 1));
  place.left = static_cast<int>(draws.below("scale_left", room + 1));
  return place;
}

Image scaled_photo(const Image& photo, const TrainTransform& transform, const TrainDraws& draws,
                   const PhotoPlace& place, int threads) {
  check(place, transform.size);
  const Image resized =
      resize(draws.flip ? flip_horizontal(photo) : photo, Size{place.side, place.side}, transform.method, threads);
  if (place.side <= transform.size) return resized;
  return crop(resized, Box{place.left, place.top, transform.size, transform.size});
}

PixelValues on_canvas(const PixelValues& photo, const PhotoPlace& place, int size) {
  if (place.side >= size) return photo;
  const auto side = static_cast<std::size_t>(place.side), width = static_cast<std::size_t>(size);
  PixelValues canvas{std::vector<float>(3 * width * width, 0.0F), {1, 3, size, size}};
  for (std::size_t row = 0; row < 3 * side; ++row) {
    const auto plane = row / side, y = static_cast<std::size_t>(place.top) + row % side;
    const auto from = photo.values.begin() + static_cast<std::ptrdiff_t>(row * side);
    std::copy_n(from, side,
                canvas.values.begin() +
                    static_cast<std::ptrdiff_t>((plane * width + y) * width + static_cast<std::size_t>(place.left)));
  }
  return canvas;
}

Tensor place_mask(const PhotoPlace& place, int size, std::int64_t side) {
  if (place.side > size) return at::ones({1, side, side});
  const std::int64_t factor = size / side;
  const Tensor mask = at::zeros({1, side, side});
  const auto range = [&](int from) {
    const std::int64_t begin = from / factor + 1, end = (from + place.side) / factor - 1;
    return std::pair(begin, std::max<std::int64_t>(end - begin, 0));
  };
  const auto [top, height] = range(place.top);
  const auto [left, width] = range(place.left);
  if (height > 0 && width > 0) mask.narrow(1, top, height).narrow(2, left, width).fill_(1.0);
  return mask;
}

}  // namespace atelier
