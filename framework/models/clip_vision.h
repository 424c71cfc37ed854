#pragma once

#include <optional>
#include <vector>

#include "framework/models/block_encoder.h"

namespace atelier {

struct ClipVisionConfig {
  VisionConfig vision;
  std::int64_t projection = 512;
};

/// The config of a CLIPVisionModelWithProjection, or the vision half of a CLIPModel's. Throws Error.
[[nodiscard]] ClipVisionConfig parse_clip_vision_config(const Json& config, const std::string& where);

/// CLIPVisionModelWithProjection (Radford et al. 2021, arXiv:2103.00020): class token after the last norm, projected.
class ClipVision final : public BlockEncoder {
 public:
  ClipVision(const Json& config, Weights weights);
  /// As a part of a larger checkpoint: takes its own tensors and leaves check() to the caller.
  ClipVision(const ClipVisionConfig& config, Weights& weights);

  [[nodiscard]] std::int64_t image_size() const override { return config_.vision.image_size; }

 private:
  [[nodiscard]] Tensor embed(const Tensor& pixel_values) const override;
  [[nodiscard]] Tensor pool(const Tensor& x) const override;

  ClipVisionConfig config_;
  std::string where_;
  Tensor class_row_, positions_;  // [D], [1 + patches, D]
  std::optional<PatchEmbedding> patches_;
  std::optional<LayerNorm> norm_in_, norm_out_;
  std::optional<Linear> projection_;
};

}  // namespace atelier
