#include "reports/statistics.h"

#include <array>
#include <catch2/catch.hpp>
#include <vector>

using namespace atelier::reports;

TEST_CASE("a standard error is that of n - 1 and none for one value", "[reports][statistics]") {
  const std::array<double, 3> values{1.0, 2.0, 6.0};  // mean 3, squares 4 + 1 + 9 = 14, sd sqrt(7)
  CHECK(*mean_of(values) == Approx(3.0));
  CHECK(*standard_error(values) == Approx(1.5275252316519468));  // sqrt(7 / 3)
  CHECK_FALSE(standard_error(std::array<double, 1>{1.0}));
  CHECK_FALSE(mean_of({}));
}

TEST_CASE("a sign-flip test tries every pattern of few concepts", "[reports][statistics]") {
  // Of 8 patterns only +++ and --- reach |1 + 2 + 3|.
  const auto all_up = compare_paired(std::array<double, 3>{1.0, 2.0, 3.0});
  CHECK(all_up.difference == Approx(2.0));
  CHECK(all_up.p == 0.25);
  // |sum| = 2: of +-1 +-1 +-2 the sums are 4, 0, 2, -2, 2, -2, 0, -4: 6 of 8 reach it.
  CHECK(compare_paired(std::array<double, 3>{1.0, -1.0, 2.0}).p == 0.75);
}

TEST_CASE("a bootstrap interval lies within the differences and holds their mean", "[reports][statistics]") {
  const std::array<double, 4> values{0.0, 1.0, 2.0, 3.0};
  const auto found = compare_paired(values);
  CHECK(found.ci_low >= 0.0);
  CHECK(found.ci_low < 1.5);
  CHECK(found.ci_high > 1.5);
  CHECK(found.ci_high <= 3.0);
  const auto equal = compare_paired(std::array<double, 3>{0.5, 0.5, 0.5});
  CHECK(equal.ci_low == 0.5);
  CHECK(equal.ci_high == 0.5);
}

TEST_CASE("over twenty concepts the signs are drawn", "[reports][statistics]") {
  const std::vector<double> values(21, 1.0);
  const auto found = compare_paired(values, 999);
  CHECK(found.p == Approx(1.0 / 1000.0));  // 2 patterns of 2^21 reach the sum
}

TEST_CASE("Holm multiplies the smallest p by the number of comparisons and never falls", "[reports][statistics]") {
  Comparison a, b, c;
  a.p = 0.04, b.p = 0.01, c.p = 0.03;
  const std::array<Comparison*, 3> all{&a, &b, &c};
  correct_holm(all);
  CHECK(b.p_holm == Approx(0.03));
  CHECK(c.p_holm == Approx(0.06));
  CHECK(a.p_holm == Approx(0.06));
}
