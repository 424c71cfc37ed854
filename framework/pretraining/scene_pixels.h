#pragma once

#include "framework/tensor/tensor.h"

namespace atelier {

class StepDraws;

/// Pictures as CLIP takes them: [B, S, S, 3] uint8 -> [B, 3, S, S] float32, channels-last, normalised by the mean and
/// deviation that the published CLIP was trained with (Radford et al. 2021).
class ClipPixels {
 public:
  explicit ClipPixels(c10::Device device);
  [[nodiscard]] Tensor operator()(const Tensor& images) const;

 private:
  Tensor scale_, shift_;  // [1, 3, 1, 1] float32
};

/// Rows [B] int64 of images [N, S, S, 3], each moved by (down, right) [B] int64 pixels; border pixels are repeated.
/// -> [B, S, S, 3].
[[nodiscard]] Tensor shifted(const Tensor& images, const Tensor& rows, const Tensor& down, const Tensor& right);

/// What shifted() takes, for `count` pictures: "down" and "right", uniform in -most … most.
void draw_shifts(const StepDraws& draws, std::int64_t most, std::int64_t count, TensorMap& drawn);

}  // namespace atelier
