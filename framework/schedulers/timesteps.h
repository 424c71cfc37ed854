#pragma once

#include <cstdint>
#include <vector>

#include "framework/schedulers/scheduler_settings.h"

namespace atelier {

/// Lin et al. 2023 (arXiv:2305.08891), Table 2.
enum class TimestepSpacing { leading, linspace, trailing };

[[nodiscard]] TimestepSpacing read_timestep_spacing(SchedulerSettings& config, TimestepSpacing fallback);

/// What the three rules below need.
struct TimestepGrid {
  TimestepSpacing spacing = TimestepSpacing::leading;
  std::int64_t num_train_timesteps = 1000;
  std::int64_t steps_offset = 0;  ///< added to `leading` only
};

/// Reads timestep_spacing and steps_offset.
[[nodiscard]] TimestepGrid read_timestep_grid(SchedulerSettings& config, TimestepSpacing fallback,
                                              std::int64_t num_train_timesteps);

/// All three return `steps` timesteps, the largest first. Rounding is half to even, as numpy rounds.
/// DDIM, PNDM, DDPM: integers; leading divides T by N.
[[nodiscard]] std::vector<double> integer_timesteps(const TimestepGrid& grid, std::int64_t steps);
/// Euler: `linspace` is not rounded, and every value is a float32.
[[nodiscard]] std::vector<double> euler_timesteps(const TimestepGrid& grid, std::int64_t steps);
/// DPM-Solver++ and UniPC: integers; leading divides by N + 1, and linspace drops the last of N + 1 points.
/// `end` is T, or less where lambda_min_clipped cuts the noisiest timesteps off.
[[nodiscard]] std::vector<double> solver_timesteps(const TimestepGrid& grid, std::int64_t steps, std::int64_t end);

}  // namespace atelier
