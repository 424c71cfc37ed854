#pragma once

#include <vector>

#include "framework/image/image.h"
#include "framework/tensor/tensor.h"

namespace atelier {

/// pixels [B, 3, H, W] as the decoder gives them -> 8-bit pictures: (x/2 + 0.5) clamped to [0, 1], 255x rounded half to
/// even (formats.md 16).
[[nodiscard]] std::vector<Image> to_images(const Tensor& pixels);

}  // namespace atelier
