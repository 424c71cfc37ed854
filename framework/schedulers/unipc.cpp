// Zhao et al. 2023 (arXiv:2302.04867): UniPC, a multistep predictor with a corrector that needs no further model call.
#include <algorithm>
#include <array>
#include <cmath>

#include "framework/schedulers/factories.h"
#include "framework/schedulers/prediction.h"
#include "framework/schedulers/sigmas.h"
#include "framework/schedulers/timesteps.h"
#include "framework/schedulers/unipc_weights.h"

namespace atelier {
namespace {

struct UnipcOptions {
  BetaOptions betas;
  PredictionType prediction_type = PredictionType::epsilon;
  TimestepGrid grid;
  FinalSigma final_sigma = FinalSigma::zero;
  UniPcForm form;
  std::int64_t solver_order = 2;
  bool lower_order_final = true;
  std::vector<std::int64_t> disable_corrector;
  bool use_karras_sigmas = false;
  SigmaRange range;
};

struct UnipcCall {
  Level level;
  bool corrects = false;
  UniPcWeights corrector = {};  ///< over the step that ended here
  UniPcWeights predictor = {};  ///< over the step that begins here
};

class UniPc final : public Scheduler {
 public:
  explicit UniPc(const UnipcOptions& options)
      : Scheduler("unipc", NoiseSchedule(options.betas), options.prediction_type),
        options_(options),
        table_(sigma_table(noise_schedule())) {}

 private:
  void plan(std::int64_t steps) override {
    timesteps_ = solver_timesteps(options_.grid, steps, noise_schedule().num_train_timesteps());
    double last = options_.final_sigma == FinalSigma::zero ? 0.0 : static_cast<double>(table_.front());
    std::vector<double> sigmas;
    if (options_.use_karras_sigmas) {
      sigmas = karras(steps);
      if (options_.final_sigma == FinalSigma::sigma_min) last = sigmas.back();
    } else {
      sigmas = interpolate_sigmas(table_, timesteps_);
    }
    sigmas_.assign(sigmas.begin(), sigmas.end());
    sigmas_.push_back(static_cast<float>(last));
    history_ = {};
    last_sample_.reset();
    calls_.clear();
    for (std::size_t i = 0; i < timesteps_.size(); ++i) calls_.push_back(planned(i));
  }

  std::vector<double> karras(std::int64_t steps) {
    auto sigmas = karras_sigmas(options_.range.sigma_max.value_or(table_.back()),
                                options_.range.sigma_min.value_or(table_.front()), steps);
    timesteps_.clear();
    for (const double sigma : sigmas) timesteps_.push_back(std::nearbyint(sigma_to_timestep(sigma, table_)));
    return sigmas;
  }

  /// The order of the step that begins at `index`.
  int order(std::size_t index) const {
    auto order = options_.solver_order;
    if (options_.lower_order_final) order = std::min(order, static_cast<std::int64_t>(timesteps_.size() - index));
    return static_cast<int>(std::min(order, static_cast<std::int64_t>(index) + 1));
  }

  UnipcCall planned(std::size_t index) const {
    const NoiseLevel now(sigmas_[index]);
    const auto& disabled = options_.disable_corrector;
    const auto previous = static_cast<std::int64_t>(index) - 1;
    UnipcCall call{.level = {.alpha = now.alpha, .sigma = now.sigma},
                   .corrects = index > 0 && std::find(disabled.begin(), disabled.end(), previous) == disabled.end()};
    if (call.corrects) call.corrector = unipc_corrector(options_.form, sigmas_, index - 1, order(index - 1));
    call.predictor = unipc_predictor(options_.form, sigmas_, index, order(index));
    for (const auto& weights : {call.corrector, call.predictor}) {
      check_finite({weights.sample, weights.history[0], weights.history[1], weights.history[2], weights.next}, index);
    }
    return call;
  }

  at::Tensor converted(const UnipcCall& call, const at::Tensor& sample, const at::Tensor& model_output) const {
    return options_.form.predict_x0 ? predicted_original(prediction_type(), call.level, sample, model_output)
                                    : predicted_noise(prediction_type(), call.level, sample, model_output);
  }

  at::Tensor applied(const UniPcWeights& weights, const at::Tensor& sample, const at::Tensor& next) const {
    return weighted_sum({{weights.sample, sample},
                         {weights.history[0], history_[0]},
                         {weights.history[1], history_[1]},
                         {weights.history[2], history_[2]},
                         {weights.next, next}});
  }

  at::Tensor advance(const at::Tensor& noise_pred, std::size_t index, const at::Tensor& sample,
                     const at::Tensor&) override {
    const auto& call = calls_[index];
    const auto output = converted(call, sample, noise_pred);
    last_sample_ = call.corrects ? applied(call.corrector, last_sample_, output) : sample;
    history_ = {output, history_[0], history_[1]};
    return applied(call.predictor, last_sample_, {});
  }

  const UnipcOptions options_;
  const std::vector<float> table_;
  std::vector<UnipcCall> calls_;
  std::array<at::Tensor, 3> history_;  // x0 or the noise, the newest first
  at::Tensor last_sample_;             // corrected, where the running step began
};

void read_solver(SchedulerSettings& config, UnipcOptions& options) {
  // Words of related classes that the reference translates when it switches classes: midpoint, heun, logrho.
  static constexpr std::array<Word<UniPcType>, 5> kTypes{{{"bh1", UniPcType::bh1},
                                                          {"bh2", UniPcType::bh2},
                                                          {"midpoint", UniPcType::bh2},
                                                          {"heun", UniPcType::bh2},
                                                          {"logrho", UniPcType::bh2}}};
  options.solver_order = config.integer("solver_order", options.solver_order, 1, 3);
  options.form.type = config.choice<UniPcType>("solver_type", options.form.type, kTypes);
  options.form.predict_x0 = config.boolean("predict_x0", options.form.predict_x0);
  options.lower_order_final = config.boolean("lower_order_final", options.lower_order_final);
  options.disable_corrector = config.integers("disable_corrector");
}

}  // namespace

std::unique_ptr<Scheduler> make_unipc(SchedulerSettings& config) {
  UnipcOptions options;
  options.betas = read_beta_options(config, ZeroSnr::known);
  options.prediction_type = read_prediction_type(config);
  options.grid = read_timestep_grid(config, TimestepSpacing::linspace, options.betas.num_train_timesteps);
  options.final_sigma = read_final_sigma(config);
  options.use_karras_sigmas = config.boolean("use_karras_sigmas", false);
  options.range = read_sigma_range(config);
  read_solver(config, options);
  for (const auto* key :
       {"thresholding", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas", "use_dynamic_shifting"}) {
    config.refuse(key);
  }
  return std::make_unique<UniPc>(options);
}

}  // namespace atelier
