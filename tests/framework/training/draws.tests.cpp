#include "framework/training/draws.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>

#include "framework/training/given_draws.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

// Golden values: make_draw_references.py, with PyTorch's own generator.
TEST_CASE("draws have the values that their place and name give them", "[training][draws]") {
  RandomDraws draws({.seed = 7, .stage = 1, .step = 12, .slot = 3});
#include "draw_references.inc"
}

TEST_CASE("a draw depends on its place, name and index, and not on the order of calls", "[training][draws]") {
  const DrawPlace place{.seed = 1, .stage = 0, .step = 5, .slot = 0};
  RandomDraws one(place), other(place);
  const Tensor noise = one.normal("noise", {4, 8, 8});
  const double flip = one.uniform("flip");
  CHECK(other.uniform("flip") == flip);
  CHECK(other.below("timestep", 1000) == one.below("timestep", 1000));
  CHECK(at::equal(other.normal("noise", {4, 8, 8}), noise));
  CHECK(one.uniform("flip", 1) != flip);
  CHECK(one.uniform("rotate") != flip);
  for (const DrawPlace& elsewhere :
       {DrawPlace{2, 0, 5, 0}, DrawPlace{1, 1, 5, 0}, DrawPlace{1, 0, 6, 0}, DrawPlace{1, 0, 5, 1}}) {
    CHECK(RandomDraws(elsewhere).uniform("flip") != flip);
  }
}

TEST_CASE("draws are uniform and happen as often as they should", "[training][draws]") {
  double sum = 0.0;
  int happened = 0;
  std::vector<int> counts(5);
  for (std::int64_t step = 0; step < 4000; ++step) {
    RandomDraws draws({.seed = 3, .stage = 0, .step = step, .slot = 0});
    sum += draws.uniform("u");
    happened += draws.happens("h", 0.75) ? 1 : 0;
    ++counts[static_cast<std::size_t>(draws.below("b", 5))];
  }
  CHECK(sum / 4000 == Approx(0.5).margin(0.02));  // deviation 0.0046
  CHECK(happened / 4000.0 == Approx(0.75).margin(0.03));
  for (const int count : counts) CHECK(count / 4000.0 == Approx(0.2).margin(0.03));
  RandomDraws draws({});
  CHECK_FALSE(draws.happens("never", 0.0));
  CHECK(draws.happens("always", 1.0));
  CHECK_THROWS_WITH(draws.below("none", 0), Catch::Contains("draw none"));
}

TEST_CASE("given draws answer what was given and name what is missing or does not fit", "[training][draws]") {
  GivenDraws draws("batch.2");
  draws.give("mask", std::int64_t{1}, 1);
  draws.give("flip", true);
  draws.give("timestep", std::int64_t{17});
  draws.give("u", 0.25);
  draws.give("noise", at::ones({4, 2, 2}));
  CHECK(draws.happens("mask", 0.0, 1));
  CHECK(draws.happens("flip", 0.0));
  CHECK(draws.below("timestep", 1000) == 17);
  CHECK(draws.uniform("u") == 0.25);
  CHECK(draws.normal("noise", {4, 2, 2}).size(0) == 4);
  CHECK_THROWS_WITH(draws.happens("mask", 0.5, 0), Catch::Contains("batch.2: draw mask[0]: not given"));
  CHECK_THROWS_WITH(draws.below("timestep", 10), Catch::Contains("an integer from 0 to 9"));
  CHECK_THROWS_WITH(draws.normal("noise", {4, 4, 4}), Catch::Contains("draw noise[0]"));
  CHECK_THROWS_WITH(draws.uniform("flip"), Catch::Contains("a number in [0, 1)"));
}
