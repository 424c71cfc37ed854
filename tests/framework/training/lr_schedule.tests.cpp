#include "framework/training/lr_schedule.h"

#include <array>

#include "framework/training/recipe.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

struct Case {
  const char* name;
  std::int64_t warmup, total, cycles;
  double power;
  std::array<double, 10> factors;
};

constexpr std::array<std::int64_t, 10> kScheduleSteps{0, 1, 3, 4, 5, 9, 13, 19, 20, 23};

// make_lr_references.py, diffusers 0.42.1
const std::vector<Case> kCases{
    {"constant", 4, 20, 1, 1.0, {1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}},
    {"constant_with_warmup", 4, 20, 1, 1.0, {0.0, 0.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}},
    {"linear", 4, 20, 1, 1.0, {0.0, 0.25, 0.75, 1.0, 0.9375, 0.6875, 0.4375, 0.0625, 0.0, 0.0}},
    {"linear", 0, 20, 1, 1.0, {1.0, 0.95, 0.85, 0.8, 0.75, 0.55, 0.35, 0.05, 0.0, 0.0}},
    {"cosine",
     4,
     20,
     1,
     1.0,
     {0.0, 0.25, 0.75, 1.0, 0.9903926402016152, 0.7777851165098011, 0.4024548389919359, 0.009607359798384785, 0.0,
      0.08426519384872727}},
    {"cosine",
     4,
     20,
     3,
     1.0,
     {0.0, 0.25, 0.75, 1.0, 0.9903926402016152, 0.7777851165098011, 0.4024548389919359, 0.009607359798384785, 0.0,
      0.08426519384872727}},
    {"cosine_with_restarts",
     4,
     20,
     1,
     1.0,
     {0.0, 0.25, 0.75, 1.0, 0.9903926402016152, 0.7777851165098011, 0.4024548389919359, 0.009607359798384785, 0.0,
      0.0}},
    {"cosine_with_restarts",
     4,
     20,
     3,
     1.0,
     {0.0, 0.25, 0.75, 1.0, 0.9157348061512727, 0.009607359798384785, 0.22221488349019902, 0.08426519384872733, 0.0,
      0.0}},
    {"polynomial",
     4,
     20,
     1,
     1.0,
     {0.0, 0.25, 0.75, 1.0, 0.9375062499999999, 0.6875312499999998, 0.43755625, 0.06259375, 9.999999999999999e-05,
      9.999999999999999e-05}},
    {"polynomial",
     4,
     20,
     1,
     2.0,
     {0.0, 0.25, 0.75, 1.0, 0.878918359375, 0.472708984375, 0.191487109375, 0.0040058593749999994,
      9.999999999999999e-05, 9.999999999999999e-05}},
};

}  // namespace

TEST_CASE("learning-rate schedules are those of diffusers", "[training][lr]") {
  for (const Case& expected : kCases) {
    INFO(expected.name << " cycles " << expected.cycles << " power " << expected.power);
    const LRSchedule schedule({.lr_scheduler = expected.name,
                               .lr_warmup_steps = expected.warmup,
                               .lr_total_steps = expected.total,
                               .lr_num_cycles = expected.cycles,
                               .lr_power = expected.power});
    for (std::size_t i = 0; i < kScheduleSteps.size(); ++i) {
      INFO("step " << kScheduleSteps[i]);
      CHECK(schedule.factor(kScheduleSteps[i], 1e-3) == Approx(expected.factors[i]).epsilon(1e-14).margin(1e-16));
    }
  }
}

TEST_CASE("an unknown schedule and a missing total are refused", "[training][lr]") {
  CHECK_THROWS_WITH(LRSchedule({.lr_scheduler = "step"}), Catch::Contains("cosine_with_restarts"));
  CHECK_THROWS_WITH(LRSchedule({.lr_scheduler = "linear"}), Catch::Contains("lr_total_steps"));
  const LRSchedule schedule({.lr_scheduler = "polynomial", .lr_total_steps = 10});
  CHECK_THROWS_WITH(schedule.factor(1, 1e-8), Catch::Contains("learning_rate"));
}
