#pragma once

#include <optional>
#include <span>
#include <vector>

#include "framework/schedulers/noise_schedule.h"
#include "framework/schedulers/scheduler_settings.h"

namespace atelier {

/// Where the last step ends: at σ = 0, or at the σ of timestep 0.
enum class FinalSigma { zero, sigma_min };

[[nodiscard]] FinalSigma read_final_sigma(SchedulerSettings& config);

/// √((1−ᾱ)/ᾱ) for every training timestep, [T], ascending. With zero terminal SNR the last ᾱ is taken as 2^−24, the
/// smallest half-precision number, which keeps σ finite.
[[nodiscard]] std::vector<float> sigma_table(const NoiseSchedule& schedule);

/// The table at fractional timesteps, linear in between and constant past the end, in double as numpy.interp computes
/// it.
[[nodiscard]] std::vector<double> interpolate_sigmas(std::span<const float> table, std::span<const double> timesteps);

/// Karras et al. 2022 (arXiv:2206.00364), Eq. 5 with ρ = 7: `count` values from `first` down to `last`.
[[nodiscard]] std::vector<double> karras_sigmas(double first, double last, std::int64_t count);

/// The (fractional) timestep whose log σ is that of `sigma`, clamped to the table.
[[nodiscard]] double sigma_to_timestep(double sigma, std::span<const float> table);

/// The two ends that a configuration may fix for Karras sigmas.
struct SigmaRange {
  std::optional<double> sigma_min;
  std::optional<double> sigma_max;
};

[[nodiscard]] SigmaRange read_sigma_range(SchedulerSettings& config);

/// The VP form of a noise level: α = 1/√(σ²+1), s = σ·α, λ = ln α − ln s, in float32.
struct NoiseLevel {
  explicit NoiseLevel(float value);

  float alpha = 1.0F;
  float sigma = 0.0F;   ///< s, not the σ it was made from
  float lambda = 0.0F;  ///< infinite at σ = 0
};

}  // namespace atelier
