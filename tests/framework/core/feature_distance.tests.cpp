#include "framework/core/feature_distance.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "framework/core/error.h"
#include "framework/core/split_mix.h"

using namespace atelier;
using Catch::Contains;

namespace {

FeatureRows rows_of(std::int64_t rows, std::int64_t width, std::vector<double> values) {
  return {.where = "test", .rows = rows, .width = width, .values = std::move(values)};
}

template <typename F>
FeatureRows made(std::int64_t rows, std::int64_t width, const F& f) {
  FeatureRows result = rows_of(rows, width, {});
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < width; ++j) result.values.push_back(f(static_cast<double>(i), static_cast<double>(j)));
  }
  return result;
}

FeatureRows sines(std::int64_t rows) {
  return made(rows, 4, [](double i, double j) { return std::sin((i + 1) * (j + 2)); });
}
FeatureRows cosines(std::int64_t rows) {
  return made(rows, 4, [](double i, double j) { return 1.5 * std::cos((i + 2) * (j + 1)) + 0.1; });
}

}  // namespace

TEST_CASE("KID of evaluation.md 11.7 comes out, from one full subset and from all rows", "[core][stats]") {
  const auto x = rows_of(2, 2, {1, 0, 0, 1}), y = rows_of(2, 2, {1, 1, 0, 0});
  CHECK(*kernel_distance(x, y, {.subsets = 1, .subset_size = 2}) == Approx(-2.375).epsilon(1e-14));
  CHECK(*kernel_distance(x, y, {.subsets = 0}) == Approx(-2.375).epsilon(1e-14));
  CHECK_FALSE(kernel_distance(rows_of(1, 2, {1, 0}), y, {}));
  CHECK_THROWS_WITH(kernel_distance(x, y, {.subset_size = 3}), Contains("at most 2"));
  CHECK_THROWS_WITH(kernel_distance(x, rows_of(1, 3, {1, 1, 1}), {}), Contains("features of 3 numbers"));
}

TEST_CASE("KID and FID are those of numpy", "[core][stats]") {
  // numpy 2: cov, eigh of √C_a C_b √C_a, and the kernel by matrix products
  CHECK(*kernel_distance(sines(5), cosines(6), {.subsets = 0}) == Approx(-1.3107183360755177).epsilon(1e-12));
  CHECK(*frechet_distance(sines(5), cosines(6)) == Approx(1.5050035387080714).epsilon(1e-9));
  CHECK(*frechet_distance(sines(3), cosines(6)) == Approx(2.5630522005258563).epsilon(1e-6));  // covariance of rank 2
  CHECK(*frechet_distance(cosines(6), sines(5)) == Approx(1.5050035387080714).epsilon(1e-9));
}

TEST_CASE("FID of a set with itself is 0, also with more or fewer rows than numbers in a row", "[core][stats]") {
  for (const std::int64_t rows : {2, 3, 4, 9}) CHECK(std::abs(*frechet_distance(sines(rows), sines(rows))) < 1e-9);
  CHECK_FALSE(frechet_distance(sines(1), sines(3)));
}

TEST_CASE("KID of the halves of one set is 0 on average", "[core][stats]") {
  // evaluation.md 11.7: unbiased, so within three standard errors over many random halves.
  const std::int64_t pairs = 200, half = 10;
  SplitMix64 random(3);
  double sum = 0.0, squares = 0.0;
  for (std::int64_t trial = 0; trial < pairs; ++trial) {
    const auto uniform = [&](double, double) { return static_cast<double>(random.next() >> 11U) * 0x1p-53 - 0.5; };
    const auto one = made(half, 6, uniform), other = made(half, 6, uniform);
    const double kid = *kernel_distance(one, other, {.subsets = 0});
    sum += kid;
    squares += kid * kid;
  }
  const auto n = static_cast<double>(pairs);
  const double mean = sum / n, error = std::sqrt((squares / n - mean * mean) / (n - 1));
  CHECK(std::abs(mean) < 3 * error);
  CHECK(error < 0.02);
}

TEST_CASE("KID's subsets are the same on every call and others for another seed", "[core][stats]") {
  const KidRequest request{.subsets = 3, .subset_size = 3, .seed = 7};
  const auto once = *kernel_distance(sines(9), cosines(8), request);
  CHECK(*kernel_distance(sines(9), cosines(8), request) == once);
  CHECK(*kernel_distance(sines(9), cosines(8), {.subsets = 3, .subset_size = 3, .seed = 8}) != once);
}
