#include "reports/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "reports/split_mix.h"

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

double sign_flips(std::span<const double> d, std::int64_t draws, std::uint64_t seed) {
  const double sum = std::accumulate(d.begin(), d.end(), 0.0);
  const double size = std::accumulate(d.begin(), d.end(), 0.0, [](double a, double b) { return a + std::abs(b); });
  const double least = std::abs(sum) - 1e-12 * size;  // sums in another order differ in the last bits
  const bool exact = d.size() <= kExact;
  const std::int64_t patterns = exact ? std::int64_t{1} << d.size() : draws;
  SplitMix64 random(seed);
  std::int64_t hits = 0;
  for (std::int64_t pattern = 0; pattern < patterns; ++pattern) {
    double flipped = 0.0;
    for (std::size_t i = 0; i < d.size(); ++i) {
      const bool flip = exact ? ((pattern >> i) & 1) != 0 : (random.next() >> 63U) != 0;
      flipped += flip ? -d[i] : d[i];
    }
    hits += std::abs(flipped) >= least ? 1 : 0;
  }
  if (exact) return static_cast<double>(hits) / static_cast<double>(patterns);
  return static_cast<double>(1 + hits) / static_cast<double>(1 + patterns);
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
