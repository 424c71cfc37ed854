#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "framework/models/clipseg.h"
#include "framework/models/patch_embedding.h"

namespace atelier {

/// The side of a square of that many patches; rounded down where they are none.
[[nodiscard]] std::int64_t square_side(std::int64_t patches);

/// CLIP's vision tower as far as CLIPSeg's decoder reads it. The layers behind the last extracted one, the last norm
/// and the projection are part of the checkpoint and of the registry, but nothing is computed with them.
class ClipSegVision {
 public:
  /// `clip`: the place of a CLIPModel's tensors.
  ClipSegVision(const Scope& clip, const VisionConfig& config, std::int64_t projection);
  ClipSegVision(const ClipSegVision&) = delete;
  ClipSegVision& operator=(const ClipSegVision&) = delete;

  /// The states after these layers, [B, 1 + patches, D] each; pixels [B, 3, H, W], H and W multiples of the patch size.
  [[nodiscard]] std::vector<Tensor> states(const Tensor& pixels, const std::vector<std::int64_t>& layers) const;

 private:
  [[nodiscard]] Tensor embed(const Tensor& pixels) const;

  VisionConfig config_;
  Tensor class_row_, positions_;  // [D], [1 + patches, D]
  std::optional<PatchEmbedding> patches_;
  std::optional<LayerNorm> norm_in_, norm_out_;
  std::vector<std::unique_ptr<EncoderBlock>> blocks_;
  std::optional<Linear> projection_;
};

/// Transposed convolution whose stride is its kernel: every place of the input becomes a tile of the output.
class TileConvolution {
 public:
  TileConvolution(const Scope& scope, std::int64_t in, std::int64_t out, std::int64_t kernel);
  TileConvolution(const TileConvolution&) = delete;
  TileConvolution& operator=(const TileConvolution&) = delete;

  /// [B, in, H, W] -> [B, out, H·kernel, W·kernel].
  [[nodiscard]] Tensor forward(const Tensor& x) const;

 private:
  std::int64_t kernel_;
  Tensor weight_, bias_;
};

class ClipSegDecoderLayer;

class ClipSegDecoder {
 public:
  ClipSegDecoder(const Scope& scope, const ClipSegConfig& config);
  ~ClipSegDecoder();
  ClipSegDecoder(const ClipSegDecoder&) = delete;
  ClipSegDecoder& operator=(const ClipSegDecoder&) = delete;

  /// activations: [B, 1 + patches, D] each, the patches a square; prompt [B, P] -> logits [B, H, H].
  [[nodiscard]] Tensor forward(const std::vector<Tensor>& activations, const Tensor& prompt) const;

 private:
  [[nodiscard]] Tensor film(const Tensor& x, const Tensor& prompt) const;
  [[nodiscard]] Tensor upscale(const Tensor& grid) const;

  std::size_t conditional_layer_;
  Linear film_mul_, film_add_;
  std::vector<std::unique_ptr<Linear>> reduces_;
  std::vector<std::unique_ptr<ClipSegDecoderLayer>> layers_;
  std::optional<Conv2d> first_;  // with three convolutions
  std::optional<TileConvolution> middle_, last_;
};

}  // namespace atelier
