#include "framework/schedulers/euler_step.h"

#include <ATen/ops/add.h>
#include <ATen/ops/div.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sub.h>

#include <algorithm>
#include <cmath>

namespace atelier {
namespace {

/// With zero terminal SNR the first σ is 4096 and the next one about 14: the difference loses eight bits, so that the
/// result follows the reference only when every product is rounded before it is added, as there.
at::Tensor add_rounded(const at::Tensor& x, const at::Tensor& direction, float step) {
  return at::mul(direction, step).add_(x);
}

at::Tensor denoised_from_velocity(float sigma, const at::Tensor& x, const at::Tensor& velocity) {
  const float squares = sigma * sigma + 1.0F;
  return at::mul(velocity, -sigma / std::sqrt(squares)).add_(at::div(x, squares));
}

}  // namespace

at::Tensor euler_step(PredictionType type, const EulerStep& step, const at::Tensor& sample,
                      const at::Tensor& model_output) {
  const float down = step.to - step.from;
  if (type == PredictionType::epsilon) return add_rounded(sample, model_output, down);
  const auto original =
      type == PredictionType::sample ? model_output : denoised_from_velocity(step.from, sample, model_output);
  return add_rounded(sample, at::sub(sample, original).div_(step.from), down);
}

at::Tensor scaled_euler_input(const at::Tensor& sample, float sigma) {
  return at::div(sample, std::sqrt(sigma * sigma + 1.0F));
}

double euler_init_noise_sigma(std::span<const float> sigmas, TimestepSpacing spacing) {
  const float most = *std::max_element(sigmas.begin(), sigmas.end());
  return spacing == TimestepSpacing::leading ? std::sqrt(most * most + 1.0F) : most;
}

}  // namespace atelier
