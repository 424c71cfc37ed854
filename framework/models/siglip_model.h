#pragma once

#include "framework/models/siglip_text.h"
#include "framework/models/siglip_vision.h"

namespace atelier {

/// A whole SiglipModel, for scores that compare pictures with texts. The cosine needs neither scale nor bias.
class SiglipModel {
 public:
  /// Throws Error for tensors that are missing, mis-shaped or unexpected.
  SiglipModel(const Json& config, Weights weights);

  /// pixel_values [B, 3, S, S] -> [B, F], not normalised.
  [[nodiscard]] Tensor image_features(const Tensor& pixel_values) const { return vision_.features(pixel_values); }
  /// ids [B, positions], padded -> [B, F], not normalised.
  [[nodiscard]] Tensor text_features(const Tensor& ids) const { return text_.forward(ids); }

  [[nodiscard]] const SiglipText& text() const { return text_; }
  [[nodiscard]] const SiglipVision& vision() const { return vision_; }

 private:
  SiglipText text_;
  SiglipVision vision_;
};

}  // namespace atelier
