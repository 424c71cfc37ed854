// The noise schedule of the base models, and the published sampler.
#include <ATen/ops/sin.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/formats/known_configs.h"
#include "framework/schedulers/scheduler.h"
#include "tests/plugins/attndreambooth/world.h"

using namespace attn_world;

namespace {

using Values = std::vector<double>;

/// The sampler on the scheduler file of Stable Diffusion 2.1-base.
std::unique_ptr<Scheduler> published(std::int64_t steps) {
  const auto sampler = attndreambooth::make_spec().sampler;
  auto scheduler =
      make_scheduler(sampler.scheduler, known_configs(Family::sd2, true).at("scheduler"), sampler.settings);
  scheduler->set_timesteps(steps);
  return scheduler;
}

Values timesteps(std::int64_t steps) {
  const auto scheduler = published(steps);
  return {scheduler->timesteps().begin(), scheduler->timesteps().end()};
}

}  // namespace

TEST_CASE("The training noise has the published alphas", "[attndreambooth][sampler]") {
  const auto noise = read_training_noise(known_configs(Family::sd2, true).at("scheduler"));
  CHECK(noise.prediction_type == PredictionType::epsilon);
  const auto& alphas = noise.schedule.alpha_bars();
  const std::vector<std::pair<std::size_t, double>> expected{
      {0, 0.99915}, {1, 0.99829603}, {20, 0.98131436}, {500, 0.27633268}, {999, 0.00466010}};
  for (const auto& [timestep, value] : expected) {
    CHECK(static_cast<double>(alphas[timestep]) == Approx(value).epsilon(2e-6));
  }
  CHECK(std::sqrt(static_cast<double>(alphas[999])) == Approx(0.06826491).epsilon(2e-6));
  CHECK(std::sqrt(1.0 - static_cast<double>(alphas[999])) == Approx(0.99766723).epsilon(1e-7));
}

TEST_CASE("Pictures are sampled at the published timesteps", "[attndreambooth][sampler]") {
  const auto sampler = attndreambooth::make_spec().sampler;
  CHECK(sampler.steps == 50);
  CHECK(sampler.guidance == 7.5);
  CHECK(timesteps(50) == Values{999, 979, 959, 939, 919, 899, 879, 859, 839, 819, 799, 779, 759, 739, 719, 699, 679,
                                659, 639, 619, 599, 579, 559, 539, 519, 500, 480, 460, 440, 420, 400, 380, 360, 340,
                                320, 300, 280, 260, 240, 220, 200, 180, 160, 140, 120, 100, 80,  60,  40,  20});
  CHECK(timesteps(25) == Values{999, 959, 919, 879, 839, 799, 759, 719, 679, 639, 599, 559, 519,
                                480, 440, 400, 360, 320, 280, 240, 200, 160, 120, 80,  40});
}

TEST_CASE("A model that returns the start's noise stays on the forward process down to timestep 0",
          "[attndreambooth][sampler]") {
  const auto scheduler = published(50);
  const Tensor z = at::arange(1.0, 9.0, at::kDouble) / 4.0, e = at::sin(z * 5.0);
  const auto alphas = scheduler->noise_schedule().alpha_bars();
  const auto on_path = [&](std::size_t timestep) {
    const auto alpha = static_cast<double>(alphas[timestep]);
    return z * std::sqrt(alpha) + e * std::sqrt(1.0 - alpha);
  };
  Tensor x = on_path(999);
  for (std::size_t call = 0; call < 50; ++call) {
    x = scheduler->step(e, call, x, {});
    const auto reached = call + 1 < 50 ? static_cast<std::size_t>(scheduler->timesteps()[call + 1]) : 0;
    CHECK((x - on_path(reached)).abs().max().item<double>() < 2e-5);
  }
  CHECK((x - z).abs().max().item<double>() > 1e-3);
}
