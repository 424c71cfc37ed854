#pragma once

#include <optional>
#include <vector>

#include "framework/models/block_encoder.h"

namespace atelier {

/// DINO's vision transformer (Caron et al. 2021, arXiv:2104.14294) in the layout of ViTModel. eps is 1e-6, which the
/// weights were trained with; converted configs say 1e-12. Pictures of another size (any multiple of the
/// patch size): positions by size, bicubic.
class ViT final : public BlockEncoder {
 public:
  ViT(const Json& config, Weights weights);

  [[nodiscard]] std::int64_t image_size() const override { return config_.image_size; }

 private:
  [[nodiscard]] Tensor embed(const Tensor& pixel_values) const override;
  /// The class token after the last norm.
  [[nodiscard]] Tensor pool(const Tensor& x) const override;

  VisionConfig config_;
  Tensor class_row_, positions_;  // [1, 1, D], [1, 1 + patches, D]
  std::optional<PatchEmbedding> patches_;
  std::optional<LayerNorm> norm_;
};

}  // namespace atelier
