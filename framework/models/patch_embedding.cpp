#include "framework/models/patch_embedding.h"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <fmt/format.h>

#include <cmath>

#include "framework/core/error.h"

namespace atelier {
namespace {

constexpr double kOffset = 0.1;

void require_pixels(bool fits, const Tensor& pixels, const std::string& where, const std::string& expected) {
  if (fits) return;
  throw Error({.where = where + ": pixel_values",
               .found = describe(pixels.sizes(), pixels.scalar_type()),
               .expected = expected});
}

/// grid [1, D, side, side] -> [1, D, rows, columns].
Tensor resize(const Tensor& grid, std::int64_t rows, std::int64_t columns, PositionInterpolation mode) {
  const std::array<std::int64_t, 2> size{rows, columns};
  if (mode == PositionInterpolation::antialias) {
    return at::_upsample_bicubic2d_aa(grid, size, false, std::nullopt, std::nullopt);
  }
  if (mode == PositionInterpolation::size) return at::upsample_bicubic2d(grid, size, false, std::nullopt, std::nullopt);
  const auto scale = [&](std::int64_t count) {
    return (static_cast<double>(count) + kOffset) / static_cast<double>(grid.size(2));
  };
  return at::upsample_bicubic2d(grid, size, false, scale(rows), scale(columns));
}

}  // namespace

PatchEmbedding::PatchEmbedding(const Scope& scope, const VisionConfig& config, bool bias)
    : patch_size_(config.patch_size),
      placement_(scope.weights().placement()),
      where_(scope.weights().where()),
      projection_(scope, 3, config.block.width,
                  {.kernel = config.patch_size, .stride = config.patch_size, .padding = 0}, bias) {}

Tensor PatchEmbedding::forward(const Tensor& pixels) const {
  const bool fits = pixels.dim() == 4 && pixels.size(1) == 3 && pixels.numel() > 0 &&
                    pixels.size(2) % patch_size_ == 0 && pixels.size(3) % patch_size_ == 0;
  require_pixels(fits, pixels, where_, fmt::format("[B, 3, H, W] with H and W multiples of {}", patch_size_));
  return projection_.forward(pixels.to(placement_.device, placement_.dtype)).flatten(2).transpose(1, 2);
}

void require_image_size(const Tensor& pixels, std::int64_t image_size, const std::string& where) {
  const bool fits = pixels.dim() == 4 && pixels.size(2) == image_size && pixels.size(3) == image_size;
  require_pixels(fits, pixels, where, fmt::format("[B, 3, {}, {}]", image_size, image_size));
}

Tensor fit_positions(const Tensor& table, std::int64_t rows, std::int64_t columns, PositionInterpolation mode,
                     c10::ScalarType type) {
  const auto count = table.size(1) - 1;
  const auto width = table.size(2);
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(count))));
  if (rows == columns && rows == side) return table;
  const Tensor grid = table.narrow(1, 1, count).view({1, side, side, width}).permute({0, 3, 1, 2}).to(type);
  const Tensor fitted = resize(grid, rows, columns, mode).to(table.scalar_type());
  return at::cat({table.narrow(1, 0, 1), fitted.permute({0, 2, 3, 1}).reshape({1, rows * columns, width})}, 1);
}

}  // namespace atelier
