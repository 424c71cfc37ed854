#pragma once

#include "framework/models/clip_text.h"
#include "framework/models/clip_vision.h"

namespace atelier {

/// A whole CLIPModel, for scores that compare pictures with texts: both towers, projected into one space.
class ClipModel {
 public:
  /// Throws Error for tensors that are missing, mis-shaped or unexpected.
  ClipModel(const Json& config, Weights weights);

  /// pixel_values [B, 3, S, S] -> [B, F], not normalised.
  [[nodiscard]] Tensor image_features(const Tensor& pixel_values) const { return vision_.features(pixel_values); }
  /// ids [B, L] of the model's own vocabulary -> [B, F] read at the end of the text, not normalised. Throws Error for a
  /// learned token: none may take part in a score.
  [[nodiscard]] Tensor text_features(const Tensor& ids) const { return text_.forward(ids).pooled; }

  [[nodiscard]] const ClipText& text() const { return text_; }
  [[nodiscard]] const ClipVision& vision() const { return vision_; }
  [[nodiscard]] ClipText& text() { return text_; }
  [[nodiscard]] ClipVision& vision() { return vision_; }

 private:
  ClipText text_;
  ClipVision vision_;
};

}  // namespace atelier
