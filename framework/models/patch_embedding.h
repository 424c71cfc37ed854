#pragma once

#include "framework/models/conv2d.h"
#include "framework/models/vision_config.h"

namespace atelier {

/// Cuts pictures into patches and projects each: the first layer of every vision transformer.
class PatchEmbedding {
 public:
  PatchEmbedding(const Scope& scope, const VisionConfig& config, bool bias);

  /// pixels [B, 3, H, W] -> [B, H/patch · W/patch, D], row by row, at the placement. Throws Error unless H and W are
  /// multiples of the patch size.
  [[nodiscard]] Tensor forward(const Tensor& pixels) const;

 private:
  std::int64_t patch_size_;
  Placement placement_;
  std::string where_;
  Conv2d projection_;
};

/// Throws Error unless pixels are [B, 3, image_size, image_size]: for models whose positions are not interpolated.
void require_image_size(const Tensor& pixels, std::int64_t image_size, const std::string& where);

/// How a position table is fitted to another number of patches; bicubic in every case.
enum class PositionInterpolation {
  offset,  ///< DINOv2's own code: 0.1 is added to the size before the scale is taken, so the grid is sampled elsewhere
  size,    ///< later ports: the scale is the ratio of the sizes
  antialias,  ///< as `size`, with antialiasing (DINOv2 with registers)
};

/// table [1, 1 + side², D] whose entry 0 is the class token's -> [1, 1 + rows·columns, D] in the table's type,
/// interpolated in `type`. The class token's entry stays; a table that fits already is returned as it is.
[[nodiscard]] Tensor fit_positions(const Tensor& table, std::int64_t rows, std::int64_t columns,
                                   PositionInterpolation mode, c10::ScalarType type);

}  // namespace atelier
