#pragma once

#include <memory>

#include "framework/core/json.h"
#include "framework/models/patch_embedding.h"
#include "framework/models/scope.h"
#include "framework/tensor/weights.h"

namespace atelier {

/// A model that turns a picture into one vector, for scores. Evaluation only, but differentiable.
class ImageEncoder {
 public:
  ImageEncoder() = default;
  virtual ~ImageEncoder() = default;
  ImageEncoder(const ImageEncoder&) = delete;
  ImageEncoder& operator=(const ImageEncoder&) = delete;

  /// pixel_values [B, 3, S, S], normalised as the model wants it -> [B, F], not normalised. Throws Error for another
  /// shape.
  [[nodiscard]] virtual Tensor features(const Tensor& pixel_values) const = 0;

  /// pixel_values [n, 3, S, S] -> [n, F]: each row, to the bit, what features() gives for it alone.
  [[nodiscard]] virtual Tensor features_each(const Tensor& pixel_values) const;

  /// Side of the pictures it was trained on, in pixels.
  [[nodiscard]] virtual std::int64_t image_size() const = 0;
  [[nodiscard]] Registry& registry() { return registry_; }

 protected:
  Registry registry_;
};

/// By the config's `model_type`: clip, clip_vision_model (image embedding after the projection), vit (DINO: class token
/// after the last norm, eps 1e-6 whatever the config says), dinov2, dinov2_with_registers (class token), siglip,
/// siglip_vision_model (attention-pool head), inception_v3 (of FID and KID), lpips. `positions` is for dinov2 pictures
/// of another size than the table's. Throws Error for another type and for tensors that are missing, mis-shaped or
/// unexpected; a two-tower file's text half is left alone.
[[nodiscard]] std::unique_ptr<ImageEncoder> make_image_encoder(
    const Json& config, Weights weights, PositionInterpolation positions = PositionInterpolation::offset);

}  // namespace atelier
