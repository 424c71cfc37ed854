// Karras et al. 2022 (arXiv:2206.00364), Algorithm 2 without churn: Euler steps in σ.
#include <array>

#include "framework/schedulers/euler_step.h"
#include "framework/schedulers/factories.h"

namespace atelier {
namespace {

class Euler final : public Scheduler {
 public:
  struct EulerOptions {
    BetaOptions betas;
    PredictionType prediction_type = PredictionType::epsilon;
    TimestepGrid grid;
    FinalSigma final_sigma = FinalSigma::zero;
    bool use_karras_sigmas = false;
    SigmaRange range;
  };

  explicit Euler(const EulerOptions& options)
      : Scheduler("euler", NoiseSchedule(options.betas), options.prediction_type),
        options_(options),
        table_(sigma_table(noise_schedule())) {}

  [[nodiscard]] bool fractional_timesteps() const override { return true; }
  at::Tensor scale_model_input(const at::Tensor& sample, std::size_t call) const override {
    return scaled_euler_input(sample, sigmas_.at(call));
  }

 private:
  void plan(std::int64_t steps) override {
    timesteps_ = euler_timesteps(options_.grid, steps);
    auto sigmas = interpolate_sigmas(table_, timesteps_);
    if (options_.use_karras_sigmas) {
      sigmas = karras_sigmas(options_.range.sigma_max.value_or(sigmas.front()),
                             options_.range.sigma_min.value_or(sigmas.back()), steps);
      timesteps_.clear();
      for (const double sigma : sigmas) {
        timesteps_.push_back(static_cast<double>(static_cast<float>(sigma_to_timestep(sigma, table_))));
      }
    }
    sigmas_.assign(sigmas.begin(), sigmas.end());
    sigmas_.push_back(options_.final_sigma == FinalSigma::zero ? 0.0F : table_.front());
    init_noise_sigma_ = euler_init_noise_sigma(sigmas_, options_.grid.spacing);
  }

  at::Tensor advance(const at::Tensor& noise_pred, std::size_t call, const at::Tensor& sample,
                     const at::Tensor&) override {
    return euler_step(prediction_type(), {sigmas_[call], sigmas_[call + 1]}, sample, noise_pred);
  }

  const EulerOptions options_;
  const std::vector<float> table_;
};

}  // namespace

std::unique_ptr<Scheduler> make_euler(SchedulerSettings& config) {
  Euler::EulerOptions options;
  options.betas = read_beta_options(config, ZeroSnr::known);
  options.prediction_type = read_prediction_type(config);
  options.grid = read_timestep_grid(config, TimestepSpacing::linspace, options.betas.num_train_timesteps);
  options.final_sigma = read_final_sigma(config);
  options.use_karras_sigmas = config.boolean("use_karras_sigmas", false);
  options.range = read_sigma_range(config);
  for (const auto* key : {"use_exponential_sigmas", "use_beta_sigmas"}) config.refuse(key);
  enum class Only { value };
  static constexpr std::array<Word<Only>, 1> kLinear{{{"linear", Only::value}}};
  static constexpr std::array<Word<Only>, 1> kDiscrete{{{"discrete", Only::value}}};
  static_cast<void>(config.choice<Only>("interpolation_type", Only::value, kLinear));
  static_cast<void>(config.choice<Only>("timestep_type", Only::value, kDiscrete));
  return std::make_unique<Euler>(options);
}

}  // namespace atelier
