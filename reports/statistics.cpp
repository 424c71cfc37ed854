#include "reports/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace atelier::reports {
namespace {

constexpr std::size_t kExact = 20;  // concepts up to which all sign patterns are tried

class SplitMix64 {
 public:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// High 64 bits of next() * n, in two halves: 128-bit integers are no part of C++.
  std::size_t below(std::size_t n) {
    const std::uint64_t x = next();
    const std::uint64_t low = (x & 0xffffffffU) * n;
    return static_cast<std::size_t>(((x >> 32U) * n + (low >> 32U)) >> 32U);
  }

 private:
  std::uint64_t state_ = 0;
};

/// Linear between order statistics.
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

void bootstrap(std::span<const double> d, std::int64_t draws, Comparison& result) {
  SplitMix64 random;
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

double sign_flips(std::span<const double> d, std::int64_t draws) {
  const double sum = std::accumulate(d.begin(), d.end(), 0.0);
  const double size = std::accumulate(d.begin(), d.end(), 0.0, [](double a, double b) { return a + std::abs(b); });
  const double least = std::abs(sum) - 1e-12 * size;  // sums in another order differ in the last bits
  const bool exact = d.size() <= kExact;
  const std::int64_t patterns = exact ? std::int64_t{1} << d.size() : draws;
  SplitMix64 random;
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

Comparison compare_paired(std::span<const double> differences, std::int64_t draws) {
  Comparison result;
  result.difference = mean_of(differences).value_or(0.0);
  result.concepts = static_cast<std::int64_t>(differences.size());
  bootstrap(differences, draws, result);
  result.p = result.p_holm = sign_flips(differences, draws);
  return result;
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
