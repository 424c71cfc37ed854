// Ho et al. 2020 (arXiv:2006.11239), Eq. 6 and 7. The step goes to the next timestep of the list.
#include <ATen/ops/clamp.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "framework/schedulers/factories.h"
#include "framework/schedulers/prediction.h"
#include "framework/schedulers/timesteps.h"

namespace atelier {
namespace {

enum class VarianceType { fixed_small, fixed_small_log, fixed_large };

struct DdpmOptions {
  BetaOptions betas;
  PredictionType prediction_type = PredictionType::epsilon;
  TimestepGrid grid;
  VarianceType variance_type = VarianceType::fixed_small;
  bool clip_sample = true;
  double clip_sample_range = 1.0;
};

struct DdpmCall {
  Level level;
  double original = 0.0;
  double sample = 0.0;
  double noise = 0.0;
};

float deviation(VarianceType type, float now, float next, float beta) {
  const float variance = std::max((1.0F - next) / (1.0F - now) * beta, 1e-20F);
  if (type == VarianceType::fixed_small_log) return std::exp(0.5F * std::log(variance));
  return std::sqrt(type == VarianceType::fixed_large ? beta : variance);
}

class Ddpm final : public Scheduler {
 public:
  explicit Ddpm(const DdpmOptions& options)
      : Scheduler("ddpm", NoiseSchedule(options.betas), options.prediction_type), options_(options) {}

  bool draws_noise(std::size_t call) const override { return timesteps_.at(call) > 0; }

 private:
  void plan(std::int64_t steps) override {
    timesteps_ = integer_timesteps(options_.grid, steps);
    calls_.clear();
    for (std::size_t i = 0; i < timesteps_.size(); ++i) {
      const float next = i + 1 < timesteps_.size() ? alpha_bar(timesteps_[i + 1]) : 1.0F;
      calls_.push_back(planned(timesteps_[i], next));
    }
  }

  DdpmCall planned(double timestep, float next) const {
    const float now = alpha_bar(timestep);
    const float alpha = now / next;
    const float beta = 1.0F - alpha;
    DdpmCall call{.level = {.alpha = std::sqrt(now), .sigma = std::sqrt(1.0F - now)},
                  .original = std::sqrt(next) * beta / (1.0F - now),
                  .sample = std::sqrt(alpha) * (1.0F - next) / (1.0F - now)};
    if (timestep > 0) call.noise = deviation(options_.variance_type, now, next, beta);
    const bool divides = prediction_type() == PredictionType::epsilon;
    check_finite({divides ? 1.0 / call.level.alpha : 0.0, call.original, call.sample, call.noise}, calls_.size());
    return call;
  }

  at::Tensor advance(const at::Tensor& noise_pred, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& step_noise) override {
    const auto& call = calls_[index];
    auto original = predicted_original(prediction_type(), call.level, sample, noise_pred);
    if (options_.clip_sample) {
      original = at::clamp(original, -options_.clip_sample_range, options_.clip_sample_range);
    }
    return weighted_sum({{call.original, original}, {call.sample, sample}, {call.noise, step_noise}});
  }

  const DdpmOptions options_;
  std::vector<DdpmCall> calls_;
};

}  // namespace

std::unique_ptr<Scheduler> make_ddpm(SchedulerSettings& config) {
  static constexpr std::array<Word<VarianceType>, 3> kTypes{{{"fixed_small", VarianceType::fixed_small},
                                                             {"fixed_small_log", VarianceType::fixed_small_log},
                                                             {"fixed_large", VarianceType::fixed_large}}};
  DdpmOptions options;
  options.betas = read_beta_options(config, ZeroSnr::known);
  options.prediction_type = read_prediction_type(config);
  options.grid = read_timestep_grid(config, TimestepSpacing::leading, options.betas.num_train_timesteps);
  options.variance_type = config.choice<VarianceType>("variance_type", options.variance_type, kTypes);
  options.clip_sample = config.boolean("clip_sample", options.clip_sample);
  options.clip_sample_range = config.number("clip_sample_range", options.clip_sample_range);
  config.refuse("thresholding");
  return std::make_unique<Ddpm>(options);
}

}  // namespace atelier
