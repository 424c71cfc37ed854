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
  // Printed by diffusers 0.42.1 on a processor with fused multiply-add; to the last bit on every processor.
  const NoiseSchedule schedule(stable_diffusion());
  const std::vector<std::pair<std::int64_t, float>> betas = {
      {0, 8.499999530613422e-4F},   {57, 1.1384928366169333e-3F}, {58, 1.1439298978075385e-3F},
      {500, 4.814953543245792e-3F}, {998, 1.198237482458353e-2F}, {999, 1.1999999172985554e-2F}};
  for (const auto& [timestep, beta] : betas) CHECK(schedule.betas()[timestep].item<float>() == beta);
  const std::vector<std::pair<std::size_t, float>> expected = {
      {0, 9.991499781608582e-1F},   {1, 9.982960224151611e-1F},   {10, 9.904313087463379e-1F},
      {100, 8.94223153591156e-1F},  {250, 6.7379230260849e-1F},   {500, 2.7633246779441833e-1F},
      {750, 5.616980418562889e-2F}, {981, 5.775495897978544e-3F}, {999, 4.66009508818388e-3F}};
  for (const auto& [timestep, alpha_bar] : expected) CHECK(schedule.alpha_bars()[timestep] == alpha_bar);
  constexpr double kLastBits = 3e-7;
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
