#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include "framework/core/error.h"
#include "tests/framework/schedulers/walk.h"
#include "tests/support/catch_torch.h"

using atelier::Error;
using atelier::ErrorKind;
using atelier::Json;
using atelier::make_scheduler;

namespace {

/// The error that `body` throws.
template <class Body>
Error thrown(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  return Error({.where = "", .found = ""});
}

}  // namespace

TEST_CASE("An unknown scheduler is answered with the nearest one", "[schedulers][config]") {
  const auto error = thrown([] { return make_scheduler("eular", stable_diffusion_config()); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK_THAT(error.what(), Catch::Contains("did you mean euler?"));
}

TEST_CASE("An unknown override is answered with the nearest key", "[schedulers][config]") {
  const Json overrides = {{"final_sigma_type", "zero"}};
  const auto error = thrown([&] { return make_scheduler("dpmpp_2m", stable_diffusion_config(), overrides); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK_THAT(error.what(), Catch::Contains("did you mean final_sigmas_type?"));
}

TEST_CASE("A key of another class is ignored in the file and refused as an override", "[schedulers][config]") {
  auto config = stable_diffusion_config();
  config["solver_order"] = 17;
  CHECK_NOTHROW(make_scheduler("ddim", config));
  CHECK_THROWS_AS(make_scheduler("ddim", config, {{"solver_order", 2}}), Error);
}

TEST_CASE("A value outside the supported set names key, value and what is supported", "[schedulers][config]") {
  auto config = stable_diffusion_config();
  config["beta_schedule"] = "sigmoid";
  const auto error = thrown([&] { return make_scheduler("ddpm", config); });
  CHECK(error.kind() == ErrorKind::failure);
  CHECK_THAT(error.what(),
             Catch::Contains("beta_schedule") && Catch::Contains("sigmoid") && Catch::Contains("squaredcos_cap_v2"));
  const auto usage = thrown([] { return make_scheduler("ddpm", stable_diffusion_config(), {{"beta_start", "low"}}); });
  CHECK(usage.kind() == ErrorKind::usage);
}

TEST_CASE("Variants without an implementation are refused", "[schedulers][config]") {
  const auto config = stable_diffusion_config();
  CHECK_THROWS_AS(make_scheduler("ddim", config, {{"thresholding", true}}), Error);
  CHECK_THROWS_AS(make_scheduler("dpmpp_2m", config, {{"use_lu_lambdas", true}}), Error);
  CHECK_THROWS_AS(make_scheduler("dpmpp_2m", config, {{"algorithm_type", "dpmsolver"}}), Error);
  CHECK_THROWS_AS(make_scheduler("euler", config, {{"use_beta_sigmas", true}}), Error);
  CHECK_THROWS_AS(make_scheduler("euler_ancestral", config, {{"prediction_type", "sample"}}), Error);
  CHECK_THROWS_AS(make_scheduler("pndm", config, {{"prediction_type", "sample"}}), Error);
  CHECK_THROWS_AS(make_scheduler("ddpm", config, {{"variance_type", "learned"}}), Error);
  CHECK_THROWS_AS(make_scheduler("dpmpp_2m_karras", config, {{"use_karras_sigmas", false}}), Error);
}

TEST_CASE("Absent keys take the default of the class being built", "[schedulers][config]") {
  // The same file without timestep_spacing: leading for DDIM, linspace for DPM-Solver++.
  const auto ddim = make_scheduler("ddim", stable_diffusion_config());
  const auto solver = make_scheduler("dpmpp_2m", stable_diffusion_config());
  ddim->set_timesteps(50);
  solver->set_timesteps(50);
  CHECK(ddim->timesteps().front() == 981);
  CHECK(solver->timesteps().front() == 999);
}

TEST_CASE("Words of related solvers are translated in a class switch", "[schedulers][config]") {
  auto config = stable_diffusion_config();
  config["solver_type"] = "bh2";
  CHECK_NOTHROW(make_scheduler("dpmpp_2m", config));
  config["solver_type"] = "midpoint";
  CHECK_NOTHROW(make_scheduler("unipc", config));
  config["lambda_min_clipped"] = "-Infinity";
  CHECK_NOTHROW(make_scheduler("dpmpp_2m", config));
}

TEST_CASE("A number of steps that the schedule cannot give is a usage error", "[schedulers][config]") {
  for (const auto& name : atelier::scheduler_names()) {
    const auto scheduler = make_scheduler(name, stable_diffusion_config());
    for (const std::int64_t steps : {-1, 0, 1001}) {
      CAPTURE(name, steps);
      CHECK(thrown([&] { scheduler->set_timesteps(steps); }).kind() == ErrorKind::usage);
    }
  }
  // leading with offset 1 would begin at timestep 1000; leading over 1001 points has steps of length 0.
  CHECK_THROWS_AS(make_scheduler("ddim", stable_diffusion_config())->set_timesteps(1000), Error);
  CHECK_THROWS_AS(
      make_scheduler("unipc", stable_diffusion_config(), {{"timestep_spacing", "leading"}})->set_timesteps(1000),
      Error);
  CHECK_THROWS_AS(make_scheduler("lcm", stable_diffusion_config())->set_timesteps(51), Error);
  CHECK_THROWS_AS(make_scheduler("pndm", stable_diffusion_config(), {{"skip_prk_steps", false}})->set_timesteps(3),
                  Error);
}

TEST_CASE("Trailing spacing never samples at a negative timestep", "[schedulers][timesteps]") {
  // numpy.arange(1000, 0, -1000/61) has 62 entries; the reference's last timestep is then -1.
  for (const std::int64_t steps : {61, 103, 887, 1000}) {
    const auto scheduler = make_scheduler("ddim", stable_diffusion_config(), {{"timestep_spacing", "trailing"}});
    scheduler->set_timesteps(steps);
    CHECK(static_cast<std::int64_t>(scheduler->timesteps().size()) == steps);
    CHECK(scheduler->timesteps().back() >= 0);
  }
}

TEST_CASE("epsilon prediction cannot start where no signal is left", "[schedulers][config]") {
  const Json zero = {{"rescale_betas_zero_snr", true}, {"timestep_spacing", "trailing"}};
  CHECK_THROWS_AS(make_scheduler("ddim", stable_diffusion_config(), zero)->set_timesteps(10), Error);
  auto velocity = zero;
  velocity["prediction_type"] = "v_prediction";
  CHECK_NOTHROW(make_scheduler("ddim", stable_diffusion_config(), velocity)->set_timesteps(10));
}

TEST_CASE("Calls come in order and tensors have one shape", "[schedulers][step]") {
  const auto scheduler = make_scheduler("euler_ancestral", stable_diffusion_config());
  scheduler->set_timesteps(4);
  const auto x = at::ones({2, 4, 2, 2});
  CHECK_THROWS_AS(scheduler->step(x, 1, x, x), Error);
  CHECK_THROWS_AS(scheduler->step(at::ones({1, 4, 2, 2}), 0, x, x), Error);
  CHECK_THROWS_AS(scheduler->step(x, 0, x, {}), Error);
  CHECK_NOTHROW(scheduler->step(x, 0, x, x));
  CHECK_THROWS_AS(scheduler->step(x, 0, x, x), Error);
  scheduler->set_timesteps(4);
  CHECK_NOTHROW(scheduler->step(x, 0, x, x));
}

TEST_CASE("The result has the sample's dtype, and the arguments are left alone", "[schedulers][step]") {
  for (const auto& name : atelier::scheduler_names()) {
    for (const auto dtype : {at::kBFloat16, at::kFloat, at::kDouble}) {
      CAPTURE(name, dtype);
      const auto scheduler = make_scheduler(name, stable_diffusion_config());
      scheduler->set_timesteps(4);
      const auto model_output = at::full({1, 4, 2, 2}, 0.25, at::kFloat);
      const auto start = at::full({1, 4, 2, 2}, 0.5, dtype);
      auto x = start;
      for (std::size_t call = 0; call < scheduler->timesteps().size(); ++call) {
        x = scheduler->step(model_output, call, x, at::ones({1, 4, 2, 2}));
      }
      CHECK(x.scalar_type() == dtype);
      CHECK(start.eq(0.5).all().item<bool>());
      CHECK(model_output.eq(0.25).all().item<bool>());
    }
  }
}

TEST_CASE("Noise is drawn where the reference draws it", "[schedulers][step]") {
  const auto draws = [](const std::string& name, const Json& overrides) {
    const auto scheduler = make_scheduler(name, stable_diffusion_config(), overrides);
    scheduler->set_timesteps(3);
    std::vector<bool> answers;
    for (std::size_t call = 0; call < 3; ++call) answers.push_back(scheduler->draws_noise(call));
    return answers;
  };
  using Answers = std::vector<bool>;
  CHECK(draws("euler_ancestral", {}) == Answers{true, true, true});
  CHECK(draws("lcm", {}) == Answers{true, true, false});
  CHECK(draws("ddpm", {}) == Answers{true, true, true});  // ends at timestep 1
  CHECK(draws("ddpm", {{"steps_offset", 0}}) == Answers{true, true, false});
  CHECK(draws("ddim", {}) == Answers{false, false, false});
  CHECK(draws("ddim", {{"eta", 1.0}}) == Answers{true, true, true});
  CHECK(draws("dpmpp_2m", {{"algorithm_type", "sde-dpmsolver++"}}) == Answers{true, true, true});
}
