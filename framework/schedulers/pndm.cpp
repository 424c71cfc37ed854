// Liu et al. 2022 (arXiv:2202.09778), Eq. 9, 12 and 13: a linear multistep method. It starts with one repeated call
// (skip_prk_steps, as Stable Diffusion does), or with three Runge-Kutta steps of four calls.
#include <cmath>
#include <deque>
#include <utility>

#include "framework/core/error.h"
#include "framework/schedulers/factories.h"
#include "framework/schedulers/prediction.h"
#include "framework/schedulers/timesteps.h"

namespace atelier {
namespace {

constexpr std::size_t kRungeKuttaCalls = 12;

struct PndmOptions {
  BetaOptions betas;
  PredictionType prediction_type = PredictionType::epsilon;
  TimestepGrid grid;
  bool set_alpha_to_one = false;
  bool skip_prk_steps = false;
};

struct PndmCall {
  Level level;          ///< v-prediction only: where the combined velocity becomes noise
  double sample = 0.0;  ///< √(ᾱ'/ᾱ)
  double noise = 0.0;   ///< −(ᾱ'−ᾱ)/(ᾱ√(1−ᾱ') + √(ᾱ(1−ᾱ)ᾱ'))
};

class Pndm final : public Scheduler {
 public:
  explicit Pndm(const PndmOptions& options)
      : Scheduler("pndm", NoiseSchedule(options.betas), options.prediction_type), options_(options) {}

 private:
  void plan(std::int64_t steps) override {
    timesteps_ = integer_timesteps(options_.grid, steps);
    history_.clear();
    calls_.clear();
    const auto down = noise_schedule().num_train_timesteps() / steps;
    if (options_.skip_prk_steps) {
      plan_repeated_call(static_cast<double>(down));
    } else {
      plan_runge_kutta(steps, static_cast<double>(down), static_cast<double>(down / 2));
    }
  }

  /// The second call repeats the second timestep: the first step is taken twice, the second time with both predictions.
  void plan_repeated_call(double down) {
    if (timesteps_.size() > 1) timesteps_.insert(timesteps_.begin() + 1, timesteps_[1]);
    for (std::size_t i = 0; i < timesteps_.size(); ++i) {
      const double from = i == 1 ? timesteps_[i] + down : timesteps_[i];
      calls_.push_back(planned(from, from - down));
    }
  }

  /// Each of the first three steps makes a call at its start, two in the middle and one at its end.
  void plan_runge_kutta(std::int64_t steps, double down, double half) {
    if (steps < 4) {
      throw Error({.where = "[pndm] number of steps",
                   .found = std::to_string(steps),
                   .expected = "at least 4 with the Runge-Kutta start",
                   .advice = "set skip_prk_steps=true"},
                  ErrorKind::usage);
    }
    std::vector<double> calls;
    for (std::size_t i = 0; i < kRungeKuttaCalls / 4; ++i) {
      const double end = timesteps_[i + 1];
      const double middle = end + half;
      calls.insert(calls.end(), {timesteps_[i], middle, middle, end});
      for (const double previous : {timesteps_[i] - half, middle, end, end}) {
        calls_.push_back(planned(timesteps_[i], previous));
      }
    }
    for (std::size_t i = kRungeKuttaCalls / 4; i < timesteps_.size(); ++i) {
      calls.push_back(timesteps_[i]);
      calls_.push_back(planned(timesteps_[i], timesteps_[i] - down));
    }
    timesteps_ = std::move(calls);
  }

  PndmCall planned(double timestep, double previous) const {
    const float now = alpha_bar(timestep);
    const float final_alpha_bar = options_.set_alpha_to_one ? 1.0F : alpha_bar(0);
    const float next = previous >= 0 ? alpha_bar(previous) : final_alpha_bar;
    const float divisor = now * std::sqrt(1.0F - next) + std::sqrt(now * (1.0F - now) * next);
    const PndmCall call{.level = {.alpha = std::sqrt(now), .sigma = std::sqrt(1.0F - now)},
                        .sample = std::sqrt(next / now),
                        .noise = static_cast<double>(now - next) / static_cast<double>(divisor)};
    check_finite({call.sample, call.noise}, calls_.size());
    return call;
  }

  /// The linear multistep combination of this prediction and up to three earlier ones.
  at::Tensor combined(const at::Tensor& noise_pred, std::size_t call) {
    if (options_.skip_prk_steps && call == 1) return weighted_sum({{0.5, noise_pred}, {0.5, history_.back()}});
    history_.push_back(noise_pred);
    if (history_.size() > 4) history_.pop_front();
    const auto back = [this](std::size_t i) { return history_[history_.size() - i]; };
    switch (history_.size()) {
      case 1:
        return noise_pred;
      case 2:
        return weighted_sum({{3.0 / 2, back(1)}, {-1.0 / 2, back(2)}});
      case 3:
        return weighted_sum({{23.0 / 12, back(1)}, {-16.0 / 12, back(2)}, {5.0 / 12, back(3)}});
      default:
        return weighted_sum({{55.0 / 24, back(1)}, {-59.0 / 24, back(2)}, {37.0 / 24, back(3)}, {-9.0 / 24, back(4)}});
    }
  }

  /// Four calls: each moves from the step's start by its own prediction, the last one by their weighted mean.
  at::Tensor runge_kutta(const at::Tensor& noise_pred, std::size_t phase) {
    if (phase == 0) {
      history_.push_back(noise_pred);
      mean_ = weighted_sum({{1.0 / 6, noise_pred}});
    } else {
      mean_ = weighted_sum({{1.0, mean_}, {phase == 3 ? 1.0 / 6 : 1.0 / 3, noise_pred}});
    }
    return phase == 3 ? mean_ : noise_pred;
  }

  at::Tensor advance(const at::Tensor& noise_pred, std::size_t index, const at::Tensor& sample,
                     const at::Tensor&) override {
    const bool starting = !options_.skip_prk_steps && index < kRungeKuttaCalls;
    const std::size_t phase = starting ? index % 4 : index;
    const bool from_start = starting || (options_.skip_prk_steps && index < 2);
    if (from_start && phase == 0) first_sample_ = sample;
    const auto& start = from_start ? first_sample_ : sample;
    const auto output = starting ? runge_kutta(noise_pred, phase) : combined(noise_pred, index);
    const auto& call = calls_[index];
    const auto noise = predicted_noise(prediction_type(), call.level, start, output);
    return weighted_sum({{call.sample, start}, {call.noise, noise}});
  }

  const PndmOptions options_;
  std::vector<PndmCall> calls_;
  std::deque<at::Tensor> history_;  // the newest last, at most four
  at::Tensor first_sample_;         // where the running step of the start began
  at::Tensor mean_;                 // of a Runge-Kutta step
};

}  // namespace

std::unique_ptr<Scheduler> make_pndm(SchedulerSettings& config) {
  PndmOptions options;
  options.betas = read_beta_options(config, ZeroSnr::unknown);
  options.prediction_type = read_prediction_type(config);
  options.grid = read_timestep_grid(config, TimestepSpacing::leading, options.betas.num_train_timesteps);
  options.set_alpha_to_one = config.boolean("set_alpha_to_one", options.set_alpha_to_one);
  options.skip_prk_steps = config.boolean("skip_prk_steps", options.skip_prk_steps);
  if (options.prediction_type == PredictionType::sample) {
    config.fail("prediction_type", "sample", "epsilon or v_prediction");
  }
  return std::make_unique<Pndm>(options);
}

}  // namespace atelier
