// Lu et al. 2022 (arXiv:2211.01095): DPM-Solver++ multistep, orders 1 to 3, as an ODE or (sde-dpmsolver++) an SDE.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "framework/schedulers/factories.h"
#include "framework/schedulers/prediction.h"
#include "framework/schedulers/sigmas.h"
#include "framework/schedulers/timesteps.h"

namespace atelier {
namespace {

enum class Algorithm { ode, sde };
enum class SolverType { midpoint, heun };

struct Dpmpp2mOptions {
  BetaOptions betas;
  PredictionType prediction_type = PredictionType::epsilon;
  TimestepGrid grid;
  FinalSigma final_sigma = FinalSigma::zero;
  std::int64_t solver_order = 2;
  Algorithm algorithm = Algorithm::ode;
  SolverType solver_type = SolverType::midpoint;
  bool lower_order_final = true;
  bool euler_at_final = false;
  bool use_karras_sigmas = false;
  SigmaRange range;
  double lambda_min_clipped = -std::numeric_limits<double>::infinity();
};

/// x' = sample·x + Σ original[i]·x0₋ᵢ + noise·z, the newest x0 first.
struct Dpmpp2mCall {
  Level level;
  double sample = 0.0;
  std::array<double, 3> original{};
  double noise = 0.0;
};

/// Weights of x0 and of its first and second divided differences, in the order the reference computes them.
struct Weights {
  double d0 = 0.0;
  double d1 = 0.0;
  double d2 = 0.0;
};

Weights ode_weights(float alpha, float h, SolverType type, int order) {
  const float decay = std::exp(-h) - 1.0F;
  Weights weights{.d0 = -(alpha * decay)};
  const bool midpoint = type == SolverType::midpoint && order == 2;
  if (order > 1) weights.d1 = midpoint ? -(0.5F * (alpha * decay)) : alpha * (decay / h + 1.0F);
  if (order > 2) weights.d2 = -(alpha * ((std::exp(-h) - 1.0F + h) / (h * h) - 0.5F));
  return weights;
}

Weights sde_weights(float alpha, float h, SolverType type, int order) {
  const float decay = 1.0F - std::exp(-2.0F * h);
  Weights weights{.d0 = alpha * decay};
  const bool midpoint = type == SolverType::midpoint && order == 2;
  if (order > 1) weights.d1 = midpoint ? 0.5F * (alpha * decay) : alpha * (decay / (-2.0F * h) + 1.0F);
  if (order > 2) {
    const float twice = 2.0F * h;
    weights.d2 = alpha * ((decay - twice) / (twice * twice) - 0.5F);
  }
  return weights;
}

/// Turns the weights of D0, D1, D2 into weights of x0, x0₋₁, x0₋₂. r0 and r1 are the two earlier steps of λ over this
/// one.
std::array<double, 3> on_history(const Weights& weights, double r0, double r1, int order) {
  if (order == 1) return {weights.d0, 0.0, 0.0};
  if (order == 2) return {weights.d0 + weights.d1 / r0, -weights.d1 / r0, 0.0};
  const double newer = (weights.d1 * (r0 + r1 + r0) + weights.d2) / (r0 + r1) / r0;  // of x0 − x0₋₁
  const double older = (weights.d1 * r0 + weights.d2) / (r0 + r1) / r1;              // of −(x0₋₁ − x0₋₂)
  return {weights.d0 + newer, -newer - older, older};
}

class Dpmpp2m final : public Scheduler {
 public:
  Dpmpp2m(std::string name, const Dpmpp2mOptions& options)
      : Scheduler(std::move(name), NoiseSchedule(options.betas), options.prediction_type),
        options_(options),
        table_(sigma_table(noise_schedule())) {}

  bool draws_noise(std::size_t) const override { return options_.algorithm == Algorithm::sde; }

 private:
  void plan(std::int64_t steps) override {
    timesteps_ = solver_timesteps(options_.grid, steps, last_timestep());
    auto sigmas = options_.use_karras_sigmas ? karras(steps) : interpolate_sigmas(table_, timesteps_);
    sigmas_.assign(sigmas.begin(), sigmas.end());
    sigmas_.push_back(options_.final_sigma == FinalSigma::zero ? 0.0F : table_.front());
    history_ = {};
    calls_.clear();
    for (std::size_t i = 0; i < timesteps_.size(); ++i) calls_.push_back(planned(i));
  }

  /// T less the noisiest timesteps whose λ lies below lambda_min_clipped.
  std::int64_t last_timestep() const {
    const auto clipped = std::count_if(table_.begin(), table_.end(), [this](float sigma) {
      return static_cast<double>(NoiseLevel(sigma).lambda) < options_.lambda_min_clipped;
    });
    return static_cast<std::int64_t>(table_.size()) - clipped;
  }

  /// Over the whole table's range; replaces the timesteps by those of the sigmas, as integers.
  std::vector<double> karras(std::int64_t steps) {
    auto sigmas = karras_sigmas(options_.range.sigma_max.value_or(table_.back()),
                                options_.range.sigma_min.value_or(table_.front()), steps);
    const bool round = options_.betas.beta_schedule != BetaSchedule::squaredcos_cap_v2;
    timesteps_.clear();
    for (const double sigma : sigmas) {
      const double timestep = sigma_to_timestep(sigma, table_);
      timesteps_.push_back(round ? std::nearbyint(timestep) : std::trunc(timestep));
    }
    return sigmas;
  }

  int order(std::size_t index) const {
    const std::size_t left = timesteps_.size() - 1 - index;
    const bool few = options_.lower_order_final && timesteps_.size() < 15;
    if (left == 0 && (options_.euler_at_final || few || options_.final_sigma == FinalSigma::zero)) return 1;
    const auto most = std::min(options_.solver_order, std::int64_t{left == 1 && few ? 2 : 3});
    return static_cast<int>(std::min(most, static_cast<std::int64_t>(index) + 1));
  }

  Dpmpp2mCall planned(std::size_t index) const {
    const NoiseLevel next(sigmas_[index + 1]);
    const NoiseLevel now(sigmas_[index]);
    const float h = next.lambda - now.lambda;
    const auto ratio = [&](std::size_t back) {  // the step of λ that ended `back` calls ago, over this one
      if (index < back + 1) return 1.0F;
      return (NoiseLevel(sigmas_[index - back]).lambda - NoiseLevel(sigmas_[index - back - 1]).lambda) / h;
    };
    const int rank = order(index);
    const bool sde = options_.algorithm == Algorithm::sde;
    const auto weights = (sde ? sde_weights : ode_weights)(next.alpha, h, options_.solver_type, rank);
    Dpmpp2mCall call{.level = {.alpha = now.alpha, .sigma = now.sigma},
                     .sample = next.sigma / now.sigma,
                     .original = on_history(weights, ratio(0), ratio(1), rank)};
    if (sde) {
      call.sample = next.sigma / now.sigma * std::exp(-h);
      call.noise = next.sigma * std::sqrt(1.0F - std::exp(-2.0F * h));
    }
    check_finite({call.sample, call.original[0], call.original[1], call.original[2], call.noise}, index);
    return call;
  }

  at::Tensor advance(const at::Tensor& noise_pred, std::size_t index, const at::Tensor& sample,
                     const at::Tensor& step_noise) override {
    const auto& call = calls_[index];
    history_ = {predicted_original(prediction_type(), call.level, sample, noise_pred), history_[0], history_[1]};
    return weighted_sum({{call.sample, sample},
                         {call.original[0], history_[0]},
                         {call.original[1], history_[1]},
                         {call.original[2], history_[2]},
                         {call.noise, step_noise}});
  }

  const Dpmpp2mOptions options_;
  const std::vector<float> table_;
  std::vector<Dpmpp2mCall> calls_;
  std::array<at::Tensor, 3> history_;  // x0, the newest first
};

void read_solver(SchedulerSettings& config, Dpmpp2mOptions& options) {
  // Words of related classes that the reference translates when it switches classes: deis, bh1, bh2, logrho.
  static constexpr std::array<Word<Algorithm>, 3> kAlgorithms{
      {{"dpmsolver++", Algorithm::ode}, {"sde-dpmsolver++", Algorithm::sde}, {"deis", Algorithm::ode}}};
  static constexpr std::array<Word<SolverType>, 5> kTypes{{{"midpoint", SolverType::midpoint},
                                                           {"heun", SolverType::heun},
                                                           {"logrho", SolverType::midpoint},
                                                           {"bh1", SolverType::midpoint},
                                                           {"bh2", SolverType::midpoint}}};
  options.solver_order = config.integer("solver_order", options.solver_order, 1, 3);
  options.algorithm = config.choice<Algorithm>("algorithm_type", options.algorithm, kAlgorithms);
  options.solver_type = config.choice<SolverType>("solver_type", options.solver_type, kTypes);
  options.lower_order_final = config.boolean("lower_order_final", options.lower_order_final);
  options.euler_at_final = config.boolean("euler_at_final", options.euler_at_final);
  options.lambda_min_clipped = config.number("lambda_min_clipped", options.lambda_min_clipped);
}

Dpmpp2mOptions read_options(SchedulerSettings& config) {
  Dpmpp2mOptions options;
  options.betas = read_beta_options(config, ZeroSnr::known);
  options.prediction_type = read_prediction_type(config);
  options.grid = read_timestep_grid(config, TimestepSpacing::linspace, options.betas.num_train_timesteps);
  options.final_sigma = read_final_sigma(config);
  options.range = read_sigma_range(config);
  read_solver(config, options);
  for (const auto* key : {"thresholding", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas",
                          "use_flow_sigmas", "use_dynamic_shifting"}) {
    config.refuse(key);
  }
  return options;
}

}  // namespace

std::unique_ptr<Scheduler> make_dpmpp_2m(SchedulerSettings& config) {
  auto options = read_options(config);
  options.use_karras_sigmas = config.boolean("use_karras_sigmas", false);
  return std::make_unique<Dpmpp2m>("dpmpp_2m", options);
}

std::unique_ptr<Scheduler> make_dpmpp_2m_karras(SchedulerSettings& config) {
  auto options = read_options(config);
  options.use_karras_sigmas = true;  // by name: not a key here, so that an override of it is refused
  return std::make_unique<Dpmpp2m>("dpmpp_2m_karras", options);
}

}  // namespace atelier
