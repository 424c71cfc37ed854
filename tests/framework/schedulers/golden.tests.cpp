// The numbers of this file were printed by diffusers 0.42.1 on the CPU, for the toy model of walk.h; make_references.py
// prints the toy walks again with --golden. They are rounded to six decimals.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include <array>

#include "tests/framework/schedulers/walk.h"
#include "tests/support/catch_torch.h"

using atelier::Json;
using atelier::make_scheduler;

namespace {

struct Row {
  std::string scheduler;
  Json overrides;
  std::int64_t steps;
  std::array<double, 4> expected;  // elements 0, 5, 10, 15
};

std::array<double, 4> corners(const at::Tensor& x) {
  const auto flat = x.flatten();
  return {flat[0].item<double>(), flat[5].item<double>(), flat[10].item<double>(), flat[15].item<double>()};
}

void check_row(const Row& row, const std::function<at::Tensor(const at::Tensor&)>& draw = {}) {
  CAPTURE(row.scheduler, row.overrides.dump(), row.steps);
  const auto scheduler = make_scheduler(row.scheduler, stable_diffusion_config(), row.overrides);
  const auto found = corners(toy_walk(*scheduler, row.steps, draw));
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(row.expected[i]).epsilon(2e-6).margin(6e-7));
}

std::vector<double> planned(const std::string& name, const Json& overrides, std::int64_t steps) {
  const auto scheduler = make_scheduler(name, stable_diffusion_config(), overrides);
  scheduler->set_timesteps(steps);
  return scheduler->timesteps();
}

std::vector<double> head(const std::vector<double>& values, std::size_t count) {
  return {values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::vector<double> tail(const std::vector<double>& values, std::size_t count) {
  return {values.end() - static_cast<std::ptrdiff_t>(count), values.end()};
}

using Values = std::vector<double>;

}  // namespace

TEST_CASE("The toy walk ends where the reference ends", "[schedulers][golden]") {
  const Json leading = {{"timestep_spacing", "leading"}};
  const Json leading_v = {{"timestep_spacing", "leading"}, {"prediction_type", "v_prediction"}};
  const Json leading_karras = {{"timestep_spacing", "leading"}, {"use_karras_sigmas", true}};
  const Json trailing_one = {{"timestep_spacing", "trailing"}, {"set_alpha_to_one", true}};
  const Json v = {{"prediction_type", "v_prediction"}};
  const std::vector<Row> rows = {
      {"ddim", Json::object(), 20, {-7.953742, -3.311492, -1.299807, 0.435362}},
      {"ddim", v, 20, {-0.575152, -0.363053, -0.140682, 0.114354}},
      {"ddim", trailing_one, 20, {-10.524667, -5.470827, -1.745774, 0.390168}},
      {"pndm", Json::object(), 20, {-7.022261, -2.724839, -1.116849, 0.478563}},
      {"pndm", v, 20, {-0.562398, -0.343912, -0.116243, 0.141569}},
      {"euler", leading, 20, {-7.976457, -3.291590, -1.277239, 0.426700}},
      {"euler", leading_v, 20, {-0.563216, -0.355407, -0.137711, 0.111884}},
      {"euler", leading_karras, 20, {-7.755843, -3.299427, -1.311892, 0.418657}},
      {"dpmpp_2m", Json::object(), 20, {-9.765839, -4.379905, -1.486559, 0.426788}},
      {"dpmpp_2m", Json::object(), 10, {-10.153061, -4.565375, -1.513100, 0.406715}},
      {"dpmpp_2m", leading, 20, {-6.645696, -2.552687, -1.041772, 0.468006}},
      {"dpmpp_2m_karras", Json::object(), 20, {-9.560603, -4.138458, -1.429709, 0.442457}},
      {"dpmpp_2m", leading_v, 20, {-0.571760, -0.347446, -0.114954, 0.147922}},
  };
  for (const auto& row : rows) check_row(row);
}

TEST_CASE("Euler ancestral follows the reference's random stream", "[schedulers][golden]") {
  auto generator = at::detail::createCPUGenerator(42);
  const auto draw = [&generator](const at::Tensor& like) { return at::randn(like.sizes(), generator, like.options()); };
  check_row({"euler_ancestral", {{"timestep_spacing", "leading"}}, 20, {-5.304121, -1.085473, -7.188972, 7.433098}},
            draw);
}

TEST_CASE("DDIM's timesteps follow the three spacings", "[schedulers][timesteps]") {
  const auto twenty = planned("ddim", {}, 20);
  CHECK(twenty.size() == 20);
  CHECK(head(twenty, 2) == Values{951, 901});
  CHECK(tail(twenty, 2) == Values{51, 1});
  CHECK(head(planned("ddim", {}, 30), 2) == Values{958, 925});
  CHECK(tail(planned("ddim", {}, 30), 2) == Values{34, 1});
  CHECK(head(planned("ddim", {}, 50), 2) == Values{981, 961});
  CHECK(tail(planned("ddim", {}, 50), 2) == Values{21, 1});
  const auto linspace = planned("ddim", {{"timestep_spacing", "linspace"}}, 20);
  CHECK(head(linspace, 4) == Values{999, 946, 894, 841});
  CHECK(tail(linspace, 3) == Values{105, 53, 0});
  const auto trailing = planned("ddim", {{"timestep_spacing", "trailing"}}, 20);
  CHECK(head(trailing, 2) == Values{999, 949});
  CHECK(tail(trailing, 2) == Values{99, 49});
}

TEST_CASE("PNDM visits its second timestep twice", "[schedulers][timesteps]") {
  const auto timesteps = planned("pndm", {}, 20);
  CHECK(timesteps.size() == 21);
  CHECK(head(timesteps, 4) == Values{951, 901, 901, 851});
  CHECK(timesteps.back() == 1);
}

TEST_CASE("Euler's linspace timesteps are fractional and its sigmas interpolated", "[schedulers][timesteps]") {
  const auto scheduler = make_scheduler("euler", stable_diffusion_config());
  scheduler->set_timesteps(20);
  const auto& timesteps = scheduler->timesteps();
  const auto& sigmas = scheduler->sigmas();
  CHECK(timesteps[1] == Approx(946.4211).epsilon(1e-7));
  CHECK(timesteps[2] == Approx(893.8421).epsilon(1e-7));
  CHECK(timesteps[18] == Approx(52.5789).epsilon(1e-6));
  CHECK(timesteps[19] == 0);
  CHECK(sigmas.size() == 21);
  CHECK(sigmas[0] == Approx(14.61465).epsilon(1e-6));
  CHECK(sigmas[1] == Approx(10.74685).epsilon(1e-6));
  CHECK(sigmas[2] == Approx(8.081535).epsilon(1e-6));
  CHECK(sigmas[19] == Approx(0.02916753).epsilon(1e-6));
  CHECK(sigmas[20] == 0.0F);
  CHECK(scheduler->init_noise_sigma() == Approx(14.61465).epsilon(1e-6));
}

TEST_CASE("Euler's leading walk starts with the variance of its first sigma", "[schedulers][timesteps]") {
  const auto scheduler = make_scheduler("euler", stable_diffusion_config(), {{"timestep_spacing", "leading"}});
  scheduler->set_timesteps(20);
  const auto& sigmas = scheduler->sigmas();
  CHECK(sigmas[0] == Approx(11.02833).epsilon(1e-6));
  CHECK(sigmas[1] == Approx(8.390687).epsilon(1e-6));
  CHECK(sigmas[2] == Approx(6.5064).epsilon(1e-6));
  CHECK(sigmas[18] == Approx(0.2281473).epsilon(1e-6));
  CHECK(sigmas[19] == Approx(0.04131448).epsilon(1e-6));
  CHECK(scheduler->init_noise_sigma() == Approx(11.0735798).epsilon(2e-7));
}

TEST_CASE("DPM-Solver++ divides by N + 1 where it leads and drops the last point of linspace",
          "[schedulers][timesteps]") {
  const auto linspace = planned("dpmpp_2m", {}, 20);
  CHECK(head(linspace, 4) == Values{999, 949, 899, 849});
  CHECK(tail(linspace, 3) == Values{150, 100, 50});
  const auto leading = planned("dpmpp_2m", {{"timestep_spacing", "leading"}}, 20);
  CHECK(head(leading, 3) == Values{941, 894, 847});
  CHECK(tail(leading, 2) == Values{95, 48});
  const auto leading_25 = planned("dpmpp_2m", {{"timestep_spacing", "leading"}}, 25);
  CHECK(head(leading_25, 2) == Values{951, 913});
  CHECK(tail(leading_25, 2) == Values{77, 39});
  const auto karras = planned("dpmpp_2m_karras", {}, 20);
  CHECK(head(karras, 6) == Values{999, 962, 921, 876, 827, 772});
  CHECK(tail(karras, 4) == Values{15, 6, 2, 0});
  const auto scheduler = make_scheduler("dpmpp_2m", stable_diffusion_config());
  scheduler->set_timesteps(20);
  CHECK(scheduler->sigmas()[1] == Approx(10.90424).epsilon(1e-6));
  CHECK(scheduler->sigmas()[18] == Approx(0.3439318).epsilon(1e-6));
  CHECK(scheduler->sigmas()[19] == Approx(0.2255826).epsilon(1e-6));
}

TEST_CASE("AttnDreamBooth's 50 and 25 timesteps round halves to even", "[schedulers][timesteps]") {
  const auto fifty = planned("dpmpp_2m", {{"final_sigmas_type", "sigma_min"}}, 50);
  CHECK(fifty.size() == 50);
  CHECK(head(fifty, 3) == Values{999, 979, 959});
  CHECK(Values(fifty.begin() + 24, fifty.begin() + 27) == Values{519, 500, 480});
  CHECK(tail(fifty, 3) == Values{60, 40, 20});
  CHECK(planned("dpmpp_2m", {}, 25) == Values{999, 959, 919, 879, 839, 799, 759, 719, 679, 639, 599, 559, 519,
                                              480, 440, 400, 360, 320, 280, 240, 200, 160, 120, 80,  40});
}

TEST_CASE("A model that returns the start's noise keeps DPM-Solver++ on the forward process down to timestep 0",
          "[schedulers][dpmpp]") {
  // Every step must stay on √ᾱ·z + √(1−ᾱ)·e, the last one included: it ends at timestep 0, not at z.
  const auto scheduler = make_scheduler("dpmpp_2m", stable_diffusion_config(), {{"final_sigmas_type", "sigma_min"}});
  scheduler->set_timesteps(50);
  const auto z = toy_start().to(at::kDouble);
  const auto e = at::sin(z.mul(5.0));
  const auto alpha_bars = scheduler->noise_schedule().alpha_bars();
  const auto on_path = [&](std::size_t timestep) {
    const auto alpha_bar = static_cast<double>(alpha_bars[timestep]);
    return z.mul(std::sqrt(alpha_bar)).add_(e, std::sqrt(1.0 - alpha_bar));
  };
  auto x = on_path(999);
  for (std::size_t call = 0; call < 50; ++call) {
    x = scheduler->step(e, call, x, {});
    const auto reached = call + 1 < 50 ? static_cast<std::size_t>(scheduler->timesteps()[call + 1]) : 0;
    CHECK(x.sub(on_path(reached)).abs().max().item<double>() < 1e-5);
  }
  CHECK(x.sub(z).abs().max().item<double>() > 0.01);
}
