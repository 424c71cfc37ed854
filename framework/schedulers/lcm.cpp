// Luo et al. 2023 (arXiv:2310.04378): latent consistency sampling. N timesteps out of the distilled schedule.
#include <ATen/ops/clamp.h>

#include <cmath>

#include "framework/core/error.h"
#include "framework/schedulers/factories.h"
#include "framework/schedulers/prediction.h"
#include "framework/schedulers/timesteps.h"

namespace atelier {
namespace {

struct LcmOptions {
  BetaOptions betas;
  PredictionType prediction_type = PredictionType::epsilon;
  std::int64_t original_inference_steps = 50;
  double timestep_scaling = 10.0;
  bool clip_sample = false;
  double clip_sample_range = 1.0;
};

struct LcmCall {
  Level level;
  double out = 1.0;    ///< c_out, times √ᾱ' where noise follows
  double skip = 0.0;   ///< c_skip, likewise
  double noise = 0.0;  ///< √(1−ᾱ')
};

class Lcm final : public Scheduler {
 public:
  explicit Lcm(const LcmOptions& options)
      : Scheduler("lcm", NoiseSchedule(options.betas), options.prediction_type), options_(options) {}

  bool draws_noise(std::size_t call) const override { return call + 1 < timesteps_.size(); }

 private:
  void plan(std::int64_t steps) override {
    const auto original = options_.original_inference_steps;
    if (steps > original) {
      throw Error({.where = "[lcm] number of steps",
                   .found = std::to_string(steps),
                   .expected = "at most original_inference_steps = " + std::to_string(original)},
                  ErrorKind::usage);
    }
    const auto stride = noise_schedule().num_train_timesteps() / original;
    timesteps_.clear();
    const double step = static_cast<double>(original) / static_cast<double>(steps);
    for (std::int64_t i = 0; i < steps; ++i) {
      const auto index = static_cast<std::int64_t>(std::floor(static_cast<double>(i) * step));
      timesteps_.push_back(static_cast<double>((original - index) * stride - 1));
    }
    calls_.clear();
    for (std::size_t i = 0; i < timesteps_.size(); ++i) calls_.push_back(planned(i));
  }

  LcmCall planned(std::size_t index) const {
    constexpr float kSigmaData = 0.5F;
    const float now = alpha_bar(timesteps_[index]);
    const float scaled = static_cast<float>(timesteps_[index]) * static_cast<float>(options_.timestep_scaling);
    const float squares = scaled * scaled + kSigmaData * kSigmaData;
    LcmCall call{.level = {.alpha = std::sqrt(now), .sigma = std::sqrt(1.0F - now)},
                 .out = scaled / std::sqrt(squares),
                 .skip = kSigmaData * kSigmaData / squares};
    if (draws_noise(index)) {
      const float next = alpha_bar(timesteps_[index + 1]);
      call.out *= std::sqrt(next);
      call.skip *= std::sqrt(next);
      call.noise = std::sqrt(1.0F - next);
    }
    const bool divides = prediction_type() == PredictionType::epsilon;
    check_finite({divides ? 1.0 / call.level.alpha : 0.0}, index);
    return call;
  }

  at::Tensor advance(const at::Tensor& noise_pred, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& step_noise) override {
    const auto& call = calls_[index];
    auto original = predicted_original(prediction_type(), call.level, sample, noise_pred);
    if (options_.clip_sample) {
      original = at::clamp(original, -options_.clip_sample_range, options_.clip_sample_range);
    }
    return weighted_sum({{call.out, original}, {call.skip, sample}, {call.noise, step_noise}});
  }

  const LcmOptions options_;
  std::vector<LcmCall> calls_;
};

}  // namespace

std::unique_ptr<Scheduler> make_lcm(SchedulerSettings& config) {
  LcmOptions options;
  options.betas = read_beta_options(
      config, ZeroSnr::known, {.beta_start = 0.00085, .beta_end = 0.012, .beta_schedule = BetaSchedule::scaled_linear});
  options.prediction_type = read_prediction_type(config);
  options.original_inference_steps = config.integer("original_inference_steps", options.original_inference_steps, 1,
                                                    options.betas.num_train_timesteps);
  options.timestep_scaling = config.number("timestep_scaling", options.timestep_scaling);
  options.clip_sample = config.boolean("clip_sample", options.clip_sample);
  options.clip_sample_range = config.number("clip_sample_range", options.clip_sample_range);
  config.refuse("thresholding");
  for (const auto* key : {"set_alpha_to_one", "steps_offset", "timestep_spacing"}) config.ignore(key);
  return std::make_unique<Lcm>(options);
}

}  // namespace atelier
