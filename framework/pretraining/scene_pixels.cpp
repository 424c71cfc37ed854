#include "framework/pretraining/scene_pixels.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>

#include <array>

#include "framework/pretraining/step_draws.h"

namespace atelier {
namespace {

constexpr std::array<double, 3> kMean{0.48145466, 0.4578275, 0.40821073};
constexpr std::array<double, 3> kDeviation{0.26862954, 0.26130258, 0.27577711};

Tensor channels(const std::array<double, 3>& values, c10::Device device) {
  return at::tensor(values, at::TensorOptions().dtype(at::kFloat)).view({1, 3, 1, 1}).to(device);
}

}  // namespace

ClipPixels::ClipPixels(c10::Device device) {
  std::array<double, 3> scale{}, shift{};
  for (std::size_t i = 0; i < scale.size(); ++i) {
    scale[i] = 1.0 / (255.0 * kDeviation[i]);
    shift[i] = -kMean[i] / kDeviation[i];
  }
  scale_ = channels(scale, device);
  shift_ = channels(shift, device);
}

Tensor ClipPixels::operator()(const Tensor& images) const {
  return images.permute({0, 3, 1, 2}).to(at::kFloat).mul_(scale_).add_(shift_);
}

Tensor shifted(const Tensor& images, const Tensor& rows, const Tensor& down, const Tensor& right) {
  const std::int64_t side = images.size(1);
  const Tensor line = at::arange(side, rows.options());  // [S]
  const auto moved = [&](const Tensor& by) { return (line.unsqueeze(0) - by.unsqueeze(1)).clamp(0, side - 1); };
  const Tensor y = moved(down).unsqueeze(2), x = moved(right).unsqueeze(1);  // [B, S, 1], [B, 1, S]
  return images.index({rows.view({-1, 1, 1}), y, x});
}

void draw_shifts(const StepDraws& draws, std::int64_t most, std::int64_t count, TensorMap& drawn) {
  for (const char* name : {"down", "right"}) drawn.emplace(name, draws.below(name, 2 * most + 1, count) - most);
}

}  // namespace atelier
