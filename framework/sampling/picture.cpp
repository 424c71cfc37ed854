#include "framework/sampling/picture.h"

#include <ATen/ops/round.h>

#include <cstring>

namespace atelier {

std::vector<Image> to_images(const Tensor& pixels) {
  const Tensor levels = ((pixels.to(at::kCPU, at::kFloat) / 2 + 0.5).clamp(0, 1) * 255).round().to(at::kByte);
  const Tensor rows = levels.permute({0, 2, 3, 1}).contiguous();  // [B, H, W, 3]
  std::vector<Image> images;
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    Image image;
    image.width = static_cast<int>(rows.size(2));
    image.height = static_cast<int>(rows.size(1));
    const Tensor one = rows.select(0, i);
    const auto* bytes = one.const_data_ptr<std::uint8_t>();
    image.pixels.assign(bytes, bytes + one.numel());
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace atelier
