// Song et al. 2020 (arXiv:2010.02502), Eq. 12 and 16. Deterministic at eta = 0.
#include <ATen/ops/clamp.h>

#include <cmath>

#include "framework/schedulers/factories.h"
#include "framework/schedulers/prediction.h"
#include "framework/schedulers/timesteps.h"

namespace atelier {
namespace {

struct DdimOptions {
  BetaOptions betas;
  PredictionType prediction_type = PredictionType::epsilon;
  TimestepGrid grid;
  bool set_alpha_to_one = true;  ///< ᾱ after the last step: 1, or that of timestep 0
  bool clip_sample = true;
  double clip_sample_range = 1.0;
  double eta = 0.0;
};

struct DdimCall {
  Level level;
  double original = 0.0;   ///< √ᾱ'
  double direction = 0.0;  ///< √(1 − ᾱ' − σ²)
  double noise = 0.0;      ///< σ
};

class Ddim final : public Scheduler {
 public:
  explicit Ddim(const DdimOptions& options)
      : Scheduler("ddim", NoiseSchedule(options.betas), options.prediction_type), options_(options) {}

  bool draws_noise(std::size_t) const override { return options_.eta > 0.0; }

 private:
  void plan(std::int64_t steps) override {
    timesteps_ = integer_timesteps(options_.grid, steps);
    calls_.clear();
    // The step down is T/N whatever the next timestep in the list is.
    const auto down = static_cast<double>(noise_schedule().num_train_timesteps() / steps);
    for (const double timestep : timesteps_) calls_.push_back(planned(timestep, timestep - down));
  }

  DdimCall planned(double timestep, double previous) const {
    const float now = alpha_bar(timestep);
    const float final_alpha_bar = options_.set_alpha_to_one ? 1.0F : alpha_bar(0);
    const float next = previous >= 0 ? alpha_bar(previous) : final_alpha_bar;
    const float variance = ((1.0F - next) / (1.0F - now)) * (1.0F - now / next);
    const float deviation = options_.eta > 0.0 ? static_cast<float>(options_.eta) * std::sqrt(variance) : 0.0F;
    const DdimCall call{.level = {.alpha = std::sqrt(now), .sigma = std::sqrt(1.0F - now)},
                        .original = std::sqrt(next),
                        .direction = std::sqrt(1.0F - next - deviation * deviation),
                        .noise = deviation};
    const bool divides = prediction_type() == PredictionType::epsilon;
    check_finite({divides ? 1.0 / call.level.alpha : 0.0, call.direction, call.noise}, calls_.size());
    return call;
  }

  at::Tensor advance(const at::Tensor& noise_pred, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& step_noise) override {
    const auto& call = calls_[index];
    auto original = predicted_original(prediction_type(), call.level, sample, noise_pred);
    const auto noise = predicted_noise(prediction_type(), call.level, sample, noise_pred);
    if (options_.clip_sample) {
      original = at::clamp(original, -options_.clip_sample_range, options_.clip_sample_range);
    }
    return weighted_sum({{call.original, original}, {call.direction, noise}, {call.noise, step_noise}});
  }

  const DdimOptions options_;
  std::vector<DdimCall> calls_;
};

}  // namespace

std::unique_ptr<Scheduler> make_ddim(SchedulerSettings& config) {
  DdimOptions options;
  options.betas = read_beta_options(config, ZeroSnr::known);
  options.prediction_type = read_prediction_type(config);
  options.grid = read_timestep_grid(config, TimestepSpacing::leading, options.betas.num_train_timesteps);
  options.set_alpha_to_one = config.boolean("set_alpha_to_one", options.set_alpha_to_one);
  options.clip_sample = config.boolean("clip_sample", options.clip_sample);
  options.clip_sample_range = config.number("clip_sample_range", options.clip_sample_range);
  options.eta = config.number("eta", options.eta);
  if (!(options.eta >= 0.0 && options.eta <= 1.0))
    config.fail("eta", std::to_string(options.eta), "a number from 0 to 1");
  config.refuse("thresholding");
  return std::make_unique<Ddim>(options);
}

}  // namespace atelier
