// Euler ancestral sampling (k-diffusion): a step down to σ_down, then noise up to the next σ.
#include <cmath>

#include "framework/schedulers/euler_step.h"
#include "framework/schedulers/factories.h"

namespace atelier {
namespace {

struct EulerAncestralOptions {
  BetaOptions betas;
  PredictionType prediction_type = PredictionType::epsilon;
  TimestepGrid grid;
};

/// The split of one step: σ_up² + σ_down² = σ₊².
struct EulerAncestralCall {
  EulerStep down;
  float up = 0.0F;
};

EulerAncestralCall split(float from, float to) {
  const float up = std::sqrt(to * to * (from * from - to * to) / (from * from));
  return {.down = {.from = from, .to = std::sqrt(to * to - up * up)}, .up = up};
}

class EulerAncestral final : public Scheduler {
 public:
  explicit EulerAncestral(const EulerAncestralOptions& options)
      : Scheduler("euler_ancestral", NoiseSchedule(options.betas), options.prediction_type),
        grid_(options.grid),
        table_(sigma_table(noise_schedule())) {}

  [[nodiscard]] bool fractional_timesteps() const override { return true; }
  at::Tensor scale_model_input(const at::Tensor& sample, std::size_t call) const override {
    return scaled_euler_input(sample, sigmas_.at(call));
  }
  /// At every call: at the last one the noise is drawn and multiplied with 0.
  bool draws_noise(std::size_t) const override { return true; }

 private:
  void plan(std::int64_t steps) override {
    timesteps_ = euler_timesteps(grid_, steps);
    const auto sigmas = interpolate_sigmas(table_, timesteps_);
    sigmas_.assign(sigmas.begin(), sigmas.end());
    sigmas_.push_back(0.0F);
    init_noise_sigma_ = euler_init_noise_sigma(sigmas_, grid_.spacing);
    calls_.clear();
    for (std::size_t i = 0; i + 1 < sigmas_.size(); ++i) {
      const auto call = split(sigmas_[i], sigmas_[i + 1]);
      check_finite({call.down.to, call.up}, i);
      calls_.push_back(call);
    }
  }

  at::Tensor advance(const at::Tensor& noise_pred, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& step_noise) override {
    const auto& call = calls_[index];
    return euler_step(prediction_type(), call.down, sample, noise_pred).add_(step_noise, call.up);
  }

  const TimestepGrid grid_;
  const std::vector<float> table_;
  std::vector<EulerAncestralCall> calls_;
};

}  // namespace

std::unique_ptr<Scheduler> make_euler_ancestral(SchedulerSettings& config) {
  EulerAncestralOptions options;
  options.betas = read_beta_options(config, ZeroSnr::known);
  options.prediction_type = read_prediction_type(config);
  options.grid = read_timestep_grid(config, TimestepSpacing::linspace, options.betas.num_train_timesteps);
  if (options.prediction_type == PredictionType::sample) {
    config.fail("prediction_type", "sample", "epsilon or v_prediction");
  }
  return std::make_unique<EulerAncestral>(options);
}

}  // namespace atelier
