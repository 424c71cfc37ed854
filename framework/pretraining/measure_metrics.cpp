#include "framework/pretraining/measure_metrics.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/log10.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace atelier {
namespace {

constexpr double kPeakSquared = 4.0;  // of the range [-1, 1]
constexpr double kMostDecibels = 100.0;

}  // namespace

Tensor psnr(const Tensor& found, const Tensor& expected) {
  const Tensor difference = found.to(at::kDouble) - expected.to(at::kDouble);
  const Tensor error = (difference * difference).flatten(1).mean(1);
  return (10.0 * at::log10(kPeakSquared / error)).clamp_max(kMostDecibels);
}

double top1(const Tensor& scores) {
  const Tensor own = scores.diagonal();
  const Tensor diagonal = at::eye(scores.size(0), scores.options().dtype(at::kBool));
  const Tensor others = scores.masked_fill(diagonal, -std::numeric_limits<double>::infinity());
  return (own > others.amax(1)).to(at::kDouble).mean().item<double>();
}

double area_under_curve(std::span<const double> positives, std::span<const double> negatives) {
  // The mean rank of the positives (Mann and Whitney 1947); equal scores share their mean rank.
  std::vector<std::pair<double, bool>> all;
  all.reserve(positives.size() + negatives.size());
  for (const double score : positives) all.emplace_back(score, true);
  for (const double score : negatives) all.emplace_back(score, false);
  std::ranges::sort(all);
  double ranks = 0.0;
  for (std::size_t first = 0; first < all.size();) {
    std::size_t end = first, found = 0;
    for (; end < all.size() && all[end].first == all[first].first; ++end) found += all[end].second ? 1 : 0;
    ranks += static_cast<double>(found) * (static_cast<double>(first + end + 1) / 2.0);  // ranks first + 1 … end
    first = end;
  }
  const auto p = static_cast<double>(positives.size()), n = static_cast<double>(negatives.size());
  return (ranks - p * (p + 1.0) / 2.0) / (p * n);
}

Tensor intersection_over_union(const Tensor& found, const Tensor& expected) {
  const auto count = [](const Tensor& mask) { return mask.flatten(1).sum(1).to(at::kDouble); };
  const Tensor both = count(found.logical_and(expected));
  const Tensor either = count(found.logical_or(expected));
  return at::where(either > 0, both / either.clamp_min(1.0), at::ones_like(both));
}

bool changed_as_asked(const SwapSeen& seen, std::size_t attribute, std::int64_t asked) {
  return seen.after[attribute] == asked && seen.before[attribute] != asked;
}

bool kept_all(const SwapSeen& seen, std::span<const std::size_t> attributes) {
  return std::ranges::all_of(attributes,
                             [&](std::size_t attribute) { return seen.before[attribute] == seen.after[attribute]; });
}

}  // namespace atelier
