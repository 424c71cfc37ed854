#pragma once

#include <memory>
#include <vector>

#include "framework/models/encoder_block.h"
#include "framework/models/image_encoder.h"

namespace atelier {

/// What the vision transformers have in common: rows of patches, blocks, one vector.
class BlockEncoder : public ImageEncoder {
 public:
  [[nodiscard]] Tensor features(const Tensor& pixel_values) const final;
  /// Block by block, all pictures one after the other: a picture goes through the same calls as alone, but a block's
  /// weights, which outweigh the picture by far, may stay in the processor's cache.
  [[nodiscard]] Tensor features_each(const Tensor& pixel_values) const final;

 protected:
  /// pixel_values [B, 3, S, S] -> [B, L, D], what the first block sees.
  [[nodiscard]] virtual Tensor embed(const Tensor& pixel_values) const = 0;
  /// [B, L, D], what the last block gives -> [B, F].
  [[nodiscard]] virtual Tensor pool(const Tensor& x) const = 0;

  std::vector<std::unique_ptr<EncoderBlock>> blocks_;
};

}  // namespace atelier
