#include "reports/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "framework/core/split_mix.h"

namespace atelier::reports {
namespace {

constexpr std::size_t kExact = 20;  // concepts up to which all sign patterns are tried

/// Linear between order statistics.
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

void bootstrap(std::span<const double> d, std::int64_t draws, std::uint64_t seed, Comparison& result) {
  SplitMix64 random(seed);
  std::vector<double> means;
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    double sum = 0.0;
    for (std::size_t i = 0; i < d.size(); ++i) sum += d[random.below(d.size())];
    means.push_back(sum / static_cast<double>(d.size()));
  }
  std::ranges::sort(means);
  result.ci_low = percentile(means, 0.025);
  result.ci_high = percentile(means, 0.975);
}

/// Σ ±d of every pattern of signs.
std::vector<double> signed_sums(std::span<const double> d) {
  std::vector<double> sums = {0.0};
  for (const double value : d) {
    const std::size_t half = sums.size();
    for (std::size_t i = 0; i < half; ++i) {
      sums.push_back(sums[i] + value);
      sums[i] -= value;
    }
  }
  return sums;
}

/// Share of all sign patterns whose sum reaches `least`. Sums of two halves are added: 2^n additions in all.
double exact_share(std::span<const double> d, double least) {
  const auto low = signed_sums(d.first(d.size() / 2)), high = signed_sums(d.subspan(d.size() / 2));
  std::int64_t hits = 0;
  for (const double a : high) {
    for (const double b : low) hits += std::abs(a + b) >= least ? 1 : 0;
  }
  return static_cast<double>(hits) / static_cast<double>(low.size() * high.size());
}

double sampled_share(std::span<const double> d, double least, std::int64_t draws, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::int64_t hits = 0;
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    double flipped = 0.0;
    for (const double value : d) flipped += (random.next() >> 63U) != 0 ? -value : value;
    hits += std::abs(flipped) >= least ? 1 : 0;
  }
  return static_cast<double>(1 + hits) / static_cast<double>(1 + draws);
}

double sign_flips(std::span<const double> d, std::int64_t draws, std::uint64_t seed) {
  const double sum = std::accumulate(d.begin(), d.end(), 0.0);
  const double size = std::accumulate(d.begin(), d.end(), 0.0, [](double a, double b) { return a + std::abs(b); });
  const double least = std::abs(sum) - 1e-12 * size;  // sums in another order differ in the last bits
  return d.size() <= kExact ? exact_share(d, least) : sampled_share(d, least, draws, seed);
}

}  // namespace

std::optional<double> mean_of(std::span<const double> values) {
  if (values.empty()) return {};
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::optional<double> standard_error(std::span<const double> values) {
  if (values.size() < 2) return {};
  const double mean = *mean_of(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const auto n = static_cast<double>(values.size());
  return std::sqrt(squares / (n - 1.0) / n);
}

Comparison compare_paired(std::span<const double> differences, std::int64_t draws, std::uint64_t seed) {
  Comparison result;
  result.difference = mean_of(differences).value_or(0.0);
  result.concepts = static_cast<std::int64_t>(differences.size());
  result.se = standard_error(differences);
  bootstrap(differences, draws, seed, result);
  result.exact = differences.size() <= kExact;
  result.p = result.p_holm = sign_flips(differences, draws, seed);
  return result;
}

bool lies_within(const Comparison& comparison, double margin) {
  return -margin < comparison.ci_low && comparison.ci_high < margin;
}

void correct_holm(std::span<Comparison* const> comparisons) {
  std::vector<Comparison*> sorted(comparisons.begin(), comparisons.end());
  std::ranges::stable_sort(sorted, {}, &Comparison::p);
  double largest = 0.0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(sorted.size() - i) * sorted[i]->p));
    sorted[i]->p_holm = largest;
  }
}

}  // namespace atelier::reports
