#pragma once

#include <optional>
#include <vector>

#include "framework/models/block_encoder.h"

namespace atelier {

/// The config of a SiglipVisionModel, or the vision half of a SiglipModel's. Throws Error.
[[nodiscard]] VisionConfig parse_siglip_vision_config(const Json& config, const std::string& where);

/// SigLIP's vision tower (Zhai et al. 2023, arXiv:2303.15343): no class token; one learned query attends to all
/// patches.
class SiglipVision final : public BlockEncoder {
 public:
  /// From a SiglipVisionModel or a whole SiglipModel, with or without the leading `vision_model.`.
  SiglipVision(const Json& config, Weights weights);
  /// As a part of a larger checkpoint: takes its own tensors and leaves check() to the caller.
  SiglipVision(const VisionConfig& config, Weights& weights);

  [[nodiscard]] std::int64_t image_size() const override { return config_.image_size; }

 private:
  [[nodiscard]] Tensor embed(const Tensor& pixel_values) const override;
  [[nodiscard]] Tensor pool(const Tensor& x) const override;

  /// h + mlp(norm(h)), h = attention(probe, x, x); q, k and v stacked in one matrix.
  struct Head {
    Head(const Scope& scope, const EncoderBlock::Options& options);
    [[nodiscard]] Tensor forward(const Tensor& x) const;

    EncoderBlock::Options options;
    Tensor probe, weight, bias;  // [1, 1, D], [3·D, D], [3·D]
    Linear out, fc1, fc2;
    LayerNorm norm;
  };

  VisionConfig config_;
  std::string where_;
  Tensor positions_;  // [patches, D]
  std::optional<PatchEmbedding> patches_;
  std::optional<LayerNorm> norm_;
  std::optional<Head> head_;
};

}  // namespace atelier
