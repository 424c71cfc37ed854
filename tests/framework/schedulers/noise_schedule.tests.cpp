#include "framework/schedulers/noise_schedule.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/schedulers/sigmas.h"
#include "tests/framework/schedulers/walk.h"
#include "tests/support/catch_torch.h"

using atelier::BetaOptions;
using atelier::BetaSchedule;
using atelier::Error;
using atelier::NoiseSchedule;

namespace {

BetaOptions stable_diffusion() {
  return {.beta_start = 0.00085, .beta_end = 0.012, .beta_schedule = BetaSchedule::scaled_linear};
}

at::Tensor long_tensor(std::initializer_list<std::int64_t> values) {
  return at::tensor(std::vector<std::int64_t>(values), at::kLong);
}

}  // namespace

TEST_CASE("The scaled linear tables hold the reference's numbers", "[schedulers][tables]") {
  // Printed by diffusers 0.42.1. The last two bits depend on how the processor's linspace rounds; references.tests.cpp
  // compares whole tables with one machine's.
  constexpr double kLastBits = 3e-7;
  const NoiseSchedule schedule(stable_diffusion());
  CHECK(schedule.betas()[0].item<float>() == 8.499999530613422e-4F);
  CHECK(schedule.betas()[999].item<float>() == 0.011999999172985554F);
  const std::vector<std::pair<std::size_t, float>> expected = {
      {0, 0.999149978F},   {1, 0.998296022F},    {10, 0.990431309F},    {100, 0.894223154F},  {250, 0.673792303F},
      {500, 0.276332498F}, {750, 0.0561698116F}, {981, 0.00577549683F}, {999, 0.00466009602F}};
  for (const auto& [timestep, alpha_bar] : expected)
    CHECK(schedule.alpha_bars()[timestep] == Approx(alpha_bar).epsilon(kLastBits));
  const auto sigmas = atelier::sigma_table(schedule);
  CHECK(sigmas.front() == Approx(0.0291675329).epsilon(3e-5));  // √(1−ᾱ) magnifies the last bit of ᾱ
  CHECK(sigmas.back() == Approx(14.614645).epsilon(kLastBits));
}

TEST_CASE("Rescaling to zero terminal SNR ends the table at exactly 0", "[schedulers][tables]") {
  auto options = stable_diffusion();
  options.rescale_betas_zero_snr = true;
  const NoiseSchedule schedule(options);
  CHECK(schedule.alpha_bars()[1] == Approx(0.998233497).epsilon(1e-7));
  CHECK(schedule.alpha_bars()[500] == Approx(0.241018593).epsilon(3e-7));
  CHECK(schedule.alpha_bars()[998] == Approx(1.96789003e-7).epsilon(1e-4));
  CHECK(schedule.alpha_bars()[999] == 0.0F);
  CHECK(atelier::sigma_table(schedule).back() == Approx(std::sqrt(std::pow(2.0, 24) - 1)).epsilon(1e-7));
}

TEST_CASE("squaredcos_cap_v2 betas follow Nichol & Dhariwal 2021, Eq. 17, with a cap", "[schedulers][tables]") {
  const NoiseSchedule schedule({.beta_schedule = BetaSchedule::squaredcos_cap_v2});
  CHECK(schedule.betas()[0].item<double>() == Approx(4.12842248e-05).epsilon(1e-6));
  CHECK(schedule.betas()[500].item<double>() == Approx(3.15569144e-03).epsilon(1e-6));
  CHECK(schedule.betas()[999].item<double>() == Approx(0.999));
}

TEST_CASE("add_noise mixes latents and noise by sample", "[schedulers][add_noise]") {
  const NoiseSchedule schedule(stable_diffusion());
  const auto latents = at::full({2, 1, 1, 1}, 2.0);
  const auto noise = at::full({2, 1, 1, 1}, -1.0);
  const auto noisy = schedule.add_noise(latents, noise, long_tensor({0, 999}));
  const auto velocity = schedule.velocity(latents, noise, long_tensor({0, 999}));
  for (const std::int64_t sample : {0, 1}) {
    const auto alpha_bar = static_cast<double>(schedule.alpha_bars()[sample == 0 ? 0 : 999]);
    const double signal = std::sqrt(alpha_bar);
    const double level = std::sqrt(1 - alpha_bar);
    CHECK(noisy[sample].item<double>() == Approx(2 * signal - level).epsilon(1e-6));
    CHECK(velocity[sample].item<double>() == Approx(-signal - 2 * level).epsilon(1e-6));
  }
}

TEST_CASE("bfloat16 latents receive noise at timestep 0 unless the reference's cast is asked for",
          "[schedulers][add_noise]") {
  // The reference casts ᾱ first; ᾱ_0 = 0.99915 is 1 in bfloat16, and no noise is added (diffusers PR 9004).
  const NoiseSchedule schedule(stable_diffusion());
  const auto latents = at::full({1, 4}, 0.0, at::kBFloat16);
  const auto noise = at::ones({1, 4}, at::kBFloat16);
  const auto noisy = schedule.add_noise(latents, noise, long_tensor({0}));
  CHECK(noisy.scalar_type() == at::kBFloat16);
  CHECK(noisy[0][0].item<double>() == Approx(std::sqrt(1 - 0.999149978)).epsilon(0.004));
  CHECK(schedule.add_noise(latents, noise, long_tensor({0}), true)[0][0].item<double>() == 0.0);
}

TEST_CASE("float64 latents are mixed in float64", "[schedulers][add_noise]") {
  const NoiseSchedule schedule(stable_diffusion());
  const auto noisy =
      schedule.add_noise(at::ones({1, 1}, at::kDouble), at::full({1, 1}, 0.0, at::kDouble), long_tensor({10}));
  CHECK(noisy.item<double>() == std::sqrt(static_cast<double>(schedule.alpha_bars()[10])));
}

TEST_CASE("snr is the ratio of signal and noise power", "[schedulers][snr]") {
  const NoiseSchedule schedule(stable_diffusion());
  const auto snr = schedule.snr(long_tensor({0, 500, 999}));
  CHECK(snr[0].item<double>() == Approx(0.999149978 / (1 - 0.999149978)).epsilon(1e-4));
  CHECK(snr[1].item<double>() == Approx(0.276332498 / (1 - 0.276332498)).epsilon(1e-5));
  CHECK(snr[2].item<double>() == Approx(0.00466009602 / (1 - 0.00466009602)).epsilon(1e-5));
}

TEST_CASE("add_noise refuses timesteps that do not fit the batch", "[schedulers][add_noise]") {
  const NoiseSchedule schedule(stable_diffusion());
  const auto latents = at::ones({2, 4});
  CHECK_THROWS_AS(schedule.add_noise(latents, latents, long_tensor({1, 2, 3})), Error);
  CHECK_THROWS_AS(schedule.add_noise(latents, latents, at::ones({2})), Error);
  CHECK_THROWS_AS(schedule.add_noise(latents, at::ones({2, 5}), long_tensor({1, 2})), Error);
}

TEST_CASE("Training reads betas and prediction type from any scheduler's file", "[schedulers][config]") {
  auto config = stable_diffusion_config();
  config["prediction_type"] = "v_prediction";
  const auto noise = atelier::read_training_noise(config);
  CHECK(noise.prediction_type == atelier::PredictionType::v_prediction);
  CHECK(noise.schedule.alpha_bars()[999] == Approx(0.00466009602).epsilon(3e-7));
}

TEST_CASE("trained_betas stand in for the formula", "[schedulers][config]") {
  const atelier::Json config = {{"num_train_timesteps", 4}, {"trained_betas", {0.1, 0.2, 0.3, 0.4}}};
  const auto noise = atelier::read_training_noise(config);
  CHECK(noise.schedule.alpha_bars()[3] == Approx(0.9 * 0.8 * 0.7 * 0.6).epsilon(1e-6));
  CHECK_THROWS_AS(atelier::read_training_noise({{"num_train_timesteps", 5}, {"trained_betas", {0.1}}}), Error);
}
