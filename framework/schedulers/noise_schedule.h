#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "framework/core/json.h"
#include "framework/schedulers/scheduler_settings.h"

namespace atelier {

enum class BetaSchedule { linear, scaled_linear, squaredcos_cap_v2 };

/// What the network returns: the noise, the velocity √ᾱ·noise − √(1−ᾱ)·latents, or the clean latents.
enum class PredictionType { epsilon, v_prediction, sample };

struct BetaOptions {
  std::int64_t num_train_timesteps = 1000;
  double beta_start = 0.0001;
  double beta_end = 0.02;
  BetaSchedule beta_schedule = BetaSchedule::linear;
  std::vector<double> trained_betas = {};  ///< when not empty: one for each timestep, instead of the three above
  bool rescale_betas_zero_snr =
      false;  ///< Lin et al. 2023 (arXiv:2305.08891), Algorithm 1: ᾱ of the last timestep is 0
};

/// Whether the class that is read knows `rescale_betas_zero_snr` (PNDM does not).
enum class ZeroSnr { known, unknown };

/// Reads the keys of BetaOptions; `fallback` holds the defaults of the class.
[[nodiscard]] BetaOptions read_beta_options(SchedulerSettings& config, ZeroSnr zero_snr,
                                            const BetaOptions& fallback = {});
[[nodiscard]] PredictionType read_prediction_type(SchedulerSettings& config);

/// The forward process x_t = √ᾱ_t·x_0 + √(1−ᾱ_t)·noise. The tables are float32 and bit-equal to those of diffusers.
/// timesteps: [B] int64, each in [0, num_train_timesteps). Latents and noise: [B, …], one shape, one floating dtype.
///
/// Products are computed in float32 (float64 for float64 latents) and cast to the latents' dtype at the end: in
/// bfloat16 ᾱ itself would round to 1 at t ≤ 1. `cast_alphas` does what diffusers does, for comparisons: it casts ᾱ
/// first.
class NoiseSchedule {
 public:
  explicit NoiseSchedule(const BetaOptions& options);

  [[nodiscard]] const at::Tensor& betas() const { return betas_; }                    ///< [T] float32
  [[nodiscard]] const at::Tensor& alphas_cumprod() const { return alphas_cumprod_; }  ///< [T] float32
  /// ᾱ on the CPU, for scalar coefficients.
  [[nodiscard]] std::span<const float> alpha_bars() const { return alpha_bars_; }
  [[nodiscard]] std::int64_t num_train_timesteps() const { return static_cast<std::int64_t>(alpha_bars_.size()); }
  [[nodiscard]] bool zero_terminal_snr() const { return zero_terminal_snr_; }

  /// The same schedule with its tables on `device`. Elsewhere they are copied at every call: do this once before a
  /// loop.
  [[nodiscard]] NoiseSchedule to(at::Device device) const;

  [[nodiscard]] at::Tensor add_noise(const at::Tensor& latents, const at::Tensor& noise, const at::Tensor& timesteps,
                                     bool cast_alphas = false) const;
  /// The target of v-prediction.
  [[nodiscard]] at::Tensor velocity(const at::Tensor& latents, const at::Tensor& noise, const at::Tensor& timesteps,
                                    bool cast_alphas = false) const;
  /// (√ᾱ/√(1−ᾱ))², [B] float32; infinite where ᾱ is 1, 0 where it is 0.
  [[nodiscard]] at::Tensor snr(const at::Tensor& timesteps) const;

 private:
  struct Levels {
    at::Tensor signal;  // √ᾱ, [B, 1, …]
    at::Tensor noise;   // √(1−ᾱ), [B, 1, …]
  };
  [[nodiscard]] Levels levels(const at::Tensor& latents, const at::Tensor& noise, const at::Tensor& timesteps,
                              bool cast_alphas) const;

  at::Tensor betas_;
  at::Tensor alphas_cumprod_;
  std::vector<float> alpha_bars_;
  bool zero_terminal_snr_ = false;
};

/// What training reads from a scheduler_config.json (the reference trains with DDPMScheduler's defaults).
struct TrainingNoise {
  NoiseSchedule schedule;
  PredictionType prediction_type = PredictionType::epsilon;
};
[[nodiscard]] TrainingNoise read_training_noise(const Json& config);

}  // namespace atelier
