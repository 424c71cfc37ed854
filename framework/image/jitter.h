#pragma once

#include "framework/image/image.h"

namespace atelier {

/// Every value times `factor`, cut to 0..255. Equal to Pillow's ImageEnhance.Brightness (which truncates).
void adjust_brightness_(Image& image, double factor);
/// Every value v becomes factor·v + (1 - factor)·g, g the rounded mean of the luma image. Equal to Pillow's
/// ImageEnhance.Contrast.
void adjust_contrast_(Image& image, double factor);

/// What a training recipe draws: both adjustments in the drawn order, with 8-bit rounding between them.
struct Jitter {
  double brightness = 1.0;
  double contrast = 1.0;
  bool brightness_first = true;
};
void jitter_(Image& image, const Jitter& jitter);

}  // namespace atelier
