#include "framework/core/feature_distance.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "framework/core/error.h"
#include "framework/core/split_mix.h"

namespace atelier {
namespace {

constexpr std::int64_t kLargestSubset = 1000;
constexpr int kMostSweeps = 60;

void check_widths(const FeatureRows& a, const FeatureRows& b) {
  if (a.width == b.width) return;
  throw Error({.where = b.where,
               .found = fmt::format("features of {} numbers", b.width),
               .expected = fmt::format("{}, as {} has", a.width, a.where)});
}

/// In eight sums side by side, which the processor adds at once; their order is fixed.
double inner(const double* x, const double* y, std::int64_t n) {
  std::array<double, 8> sums{};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) {
      const auto at = i + static_cast<std::int64_t>(lane);
      sums[lane] += x[at] * y[at];
    }
  }
  double rest = 0.0;
  for (; i < n; ++i) rest += x[i] * y[i];
  for (const double sum : sums) rest += sum;
  return rest;
}

double kernel(const double* x, const double* y, std::int64_t width) {
  const double base = inner(x, y, width) / static_cast<double>(width) + 1.0;
  return base * base * base;
}

using Places = std::vector<std::size_t>;

const double* row_at(const FeatureRows& rows, std::size_t place) { return rows.row(static_cast<std::int64_t>(place)); }

/// Mean over pairs of different rows.
double mean_within(const FeatureRows& rows, const Places& places) {
  double sum = 0.0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) sum += kernel(row_at(rows, places[i]), row_at(rows, places[j]), rows.width);
  }
  const auto n = static_cast<double>(places.size());
  return 2.0 * sum / (n * (n - 1.0));
}

double mean_across(const FeatureRows& a, const Places& in_a, const FeatureRows& b, const Places& in_b) {
  double sum = 0.0;
  for (const auto i : in_a) {
    for (const auto j : in_b) sum += kernel(row_at(a, i), row_at(b, j), a.width);
  }
  return sum / (static_cast<double>(in_a.size()) * static_cast<double>(in_b.size()));
}

double estimate(const FeatureRows& a, const Places& in_a, const FeatureRows& b, const Places& in_b) {
  return mean_within(a, in_a) + mean_within(b, in_b) - 2.0 * mean_across(a, in_a, b, in_b);
}

Places all_places(const FeatureRows& rows) {
  Places places(static_cast<std::size_t>(rows.rows));
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

/// The first `size` of a partial Fisher-Yates shuffle.
Places drawn(const FeatureRows& rows, std::size_t size, SplitMix64& random) {
  Places places = all_places(rows);
  for (std::size_t i = 0; i < size; ++i) std::swap(places[i], places[i + random.below(places.size() - i)]);
  places.resize(size);
  return places;
}

/// Rows less their mean; the mean.
struct Centred {
  FeatureRows rows;
  std::vector<double> mean;
  double trace = 0.0;  ///< of the covariance
};

Centred centred(const FeatureRows& rows) {
  Centred result{.rows = rows, .mean = std::vector<double>(static_cast<std::size_t>(rows.width))};
  const auto width = static_cast<std::size_t>(rows.width);
  for (std::size_t i = 0; i < rows.values.size(); ++i) result.mean[i % width] += rows.values[i];
  for (double& value : result.mean) value /= static_cast<double>(rows.rows);
  for (std::size_t i = 0; i < rows.values.size(); ++i) {
    double& value = result.rows.values[i];
    value -= result.mean[i % width];
    result.trace += value * value;
  }
  result.trace /= static_cast<double>(rows.rows - 1);
  return result;
}

/// Columns of a matrix: rows of it are what one-sided Jacobi turns.
using Columns = std::vector<std::vector<double>>;

/// Turns every two columns until they are at right angles (Hestenes 1958); their lengths are then the singular values.
double sum_of_singular_values(Columns columns) {
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    double worst = 0.0;
    for (std::size_t p = 0; p + 1 < columns.size(); ++p) {
      for (std::size_t q = p + 1; q < columns.size(); ++q) {
        auto &x = columns[p], &y = columns[q];
        const auto n = static_cast<std::int64_t>(x.size());
        const double alpha = inner(x.data(), x.data(), n), beta = inner(y.data(), y.data(), n);
        const double gamma = inner(x.data(), y.data(), n);
        const double size = std::sqrt(alpha * beta);
        if (size == 0.0 || std::abs(gamma) <= 1e-15 * size) continue;
        worst = std::max(worst, std::abs(gamma) / size);
        const double zeta = (beta - alpha) / (2.0 * gamma);
        const double t = (zeta >= 0.0 ? 1.0 : -1.0) / (std::abs(zeta) + std::sqrt(1.0 + zeta * zeta));
        const double c = 1.0 / std::sqrt(1.0 + t * t), s = c * t;
        for (std::size_t i = 0; i < x.size(); ++i) {
          const double old = x[i];
          x[i] = c * old - s * y[i];
          y[i] = s * old + c * y[i];
        }
      }
    }
    if (worst < 1e-12) break;
  }
  double sum = 0.0;
  for (const auto& column : columns) {
    sum += std::sqrt(inner(column.data(), column.data(), static_cast<std::int64_t>(column.size())));
  }
  return sum;
}

/// Σ singular values of A Bᵀ. Of the two sides the one with fewer rows gives the columns.
double nuclear_norm(const FeatureRows& a, const FeatureRows& b) {
  const auto &few = a.rows <= b.rows ? a : b, &many = a.rows <= b.rows ? b : a;
  Columns columns;
  for (std::int64_t i = 0; i < few.rows; ++i) {
    auto& column = columns.emplace_back();
    for (std::int64_t j = 0; j < many.rows; ++j) column.push_back(inner(few.row(i), many.row(j), few.width));
  }
  return sum_of_singular_values(std::move(columns));
}

/// Rows of a triangle with the same Gram matrix, for a side of more rows than numbers in a row: Householder's R.
FeatureRows fewer_rows(const FeatureRows& rows) {
  if (rows.rows <= rows.width) return rows;
  FeatureRows r = rows;
  const auto width = static_cast<std::size_t>(rows.width), height = static_cast<std::size_t>(rows.rows);
  const auto at = [&](std::size_t i, std::size_t j) -> double& { return r.values[i * width + j]; };
  std::vector<double> v(height), sums(width);
  for (std::size_t k = 0; k < width; ++k) {
    double norm = 0.0;
    for (std::size_t i = k; i < height; ++i) norm += at(i, k) * at(i, k);
    norm = std::sqrt(norm);
    if (norm == 0.0) continue;
    for (std::size_t i = k; i < height; ++i) v[i] = at(i, k);
    v[k] += v[k] >= 0.0 ? norm : -norm;
    double length = 0.0;
    for (std::size_t i = k; i < height; ++i) length += v[i] * v[i];
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t i = k; i < height; ++i) {
      for (std::size_t j = k; j < width; ++j) sums[j] += v[i] * at(i, j);
    }
    for (std::size_t i = k; i < height; ++i) {
      for (std::size_t j = k; j < width; ++j) at(i, j) -= 2.0 * v[i] * sums[j] / length;
    }
  }
  r.rows = rows.width;
  r.values.resize(width * width);
  for (std::size_t i = 0; i < width; ++i)
    std::fill_n(r.values.begin() + static_cast<std::ptrdiff_t>(i * width), i, 0.0);
  return r;
}

}  // namespace

std::optional<double> kernel_distance(const FeatureRows& a, const FeatureRows& b, const KidRequest& request) {
  check_widths(a, b);
  const std::int64_t least = std::min(a.rows, b.rows);
  if (request.subsets == 0) {
    if (least < 2) return std::nullopt;
    return estimate(a, all_places(a), b, all_places(b));
  }
  const std::int64_t size = request.subset_size > 0 ? request.subset_size : std::min(least, kLargestSubset);
  if (size > least) {
    throw Error(
        {.where = "--subset-size", .found = std::to_string(size), .expected = fmt::format("at most {}", least)});
  }
  if (size < 2) return std::nullopt;
  SplitMix64 random(request.seed);
  double sum = 0.0;
  for (std::int64_t subset = 0; subset < request.subsets; ++subset) {
    const Places in_a = drawn(a, static_cast<std::size_t>(size), random);
    const Places in_b = drawn(b, static_cast<std::size_t>(size), random);
    sum += estimate(a, in_a, b, in_b);
  }
  return sum / static_cast<double>(request.subsets);
}

std::optional<double> frechet_distance(const FeatureRows& a, const FeatureRows& b) {
  check_widths(a, b);
  if (a.rows < 2 || b.rows < 2) return std::nullopt;
  const Centred left = centred(a), right = centred(b);
  double apart = 0.0;
  for (std::size_t i = 0; i < left.mean.size(); ++i)
    apart += (left.mean[i] - right.mean[i]) * (left.mean[i] - right.mean[i]);
  const double root = nuclear_norm(fewer_rows(left.rows), fewer_rows(right.rows)) /
                      std::sqrt(static_cast<double>(a.rows - 1) * static_cast<double>(b.rows - 1));
  return apart + left.trace + right.trace - 2.0 * root;
}

}  // namespace atelier
