#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/schedulers/scheduler.h"

/// The keys that the scheduler files of Stable Diffusion 1.5 hold, without timestep_spacing.
inline atelier::Json stable_diffusion_config() {
  return {{"num_train_timesteps", 1000},
          {"beta_start", 0.00085},
          {"beta_end", 0.012},
          {"beta_schedule", "scaled_linear"},
          {"clip_sample", false},
          {"set_alpha_to_one", false},
          {"steps_offset", 1},
          {"skip_prk_steps", true},
          {"trained_betas", nullptr},
          {"prediction_type", "epsilon"},
          {"_class_name", "PNDMScheduler"},
          {"_diffusers_version", "0.6.0"}};
}

/// x = i/8 − 0.9 for i = 0 … 15, as [1, 4, 2, 2].
inline at::Tensor toy_start() { return at::arange(16, at::kFloat).div_(8).sub_(0.9).view({1, 4, 2, 2}); }

/// m(x, t) = sin(0.7·x + 0.001·t).
inline at::Tensor toy_model(const at::Tensor& x, double timestep) { return at::sin(x.mul(0.7).add_(0.001 * timestep)); }

/// The whole walk of the toy model; `draw` makes noise where the scheduler asks for it.
inline at::Tensor toy_walk(atelier::Scheduler& scheduler, std::int64_t steps,
                           const std::function<at::Tensor(const at::Tensor&)>& draw = {}) {
  scheduler.set_timesteps(steps);
  auto x = toy_start().mul(scheduler.init_noise_sigma());
  for (std::size_t call = 0; call < scheduler.timesteps().size(); ++call) {
    const auto output = toy_model(scheduler.scale_model_input(x, call), scheduler.timesteps()[call]);
    const auto noise = draw && scheduler.draws_noise(call) ? draw(x) : at::Tensor();
    x = scheduler.step(output, call, x, noise);
  }
  return x;
}
