#pragma once

#include <optional>
#include <vector>

#include "framework/models/block_encoder.h"

namespace atelier {

/// DINOv2 (Oquab et al. 2023, arXiv:2304.07193) with its LayerScale, SwiGLU and register-token variants (Darcet et al.
/// 2023, arXiv:2309.16588), in the layout of Dinov2Model and Dinov2WithRegistersModel. H and W of a picture
/// may be any multiples of the patch size.
class Dinov2 final : public BlockEncoder {
 public:
  /// `positions`: how the table is fitted to pictures of another size; the variant with registers always antialiases.
  Dinov2(const Json& config, Weights weights, PositionInterpolation positions = PositionInterpolation::offset);

  [[nodiscard]] std::int64_t image_size() const override { return config_.image_size; }

 private:
  [[nodiscard]] Tensor embed(const Tensor& pixel_values) const override;
  /// The class token after the last norm.
  [[nodiscard]] Tensor pool(const Tensor& x) const override;

  VisionConfig config_;
  PositionInterpolation interpolation_;
  Tensor class_row_, registers_, positions_;  // [1, 1, D], [1, R, D] or undefined, [1, 1 + patches, D]
  std::optional<PatchEmbedding> patches_;
  std::optional<LayerNorm> norm_;
};

}  // namespace atelier
