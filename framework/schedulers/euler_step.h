#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "framework/schedulers/noise_schedule.h"
#include "framework/schedulers/sigmas.h"
#include "framework/schedulers/timesteps.h"

// What Euler and Euler ancestral share.
namespace atelier {

/// A step from one σ down to another.
struct EulerStep {
  float from = 0.0F;
  float to = 0.0F;
};

/// x + d·(to − from) with d = (x − x0)/from. A new tensor, of the sample's dtype (float32 or float64).
[[nodiscard]] at::Tensor euler_step(PredictionType type, const EulerStep& step, const at::Tensor& sample,
                                    const at::Tensor& model_output);

/// sample/√(σ²+1).
[[nodiscard]] at::Tensor scaled_euler_input(const at::Tensor& sample, float sigma);

/// σ_max for linspace and trailing, √(σ_max²+1) for leading.
[[nodiscard]] double euler_init_noise_sigma(std::span<const float> sigmas, TimestepSpacing spacing);

}  // namespace atelier
