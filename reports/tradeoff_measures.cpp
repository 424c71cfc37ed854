#include "reports/tradeoff_measures.h"

#include <algorithm>

#include "framework/core/split_mix.h"

namespace atelier::reports {

double hypervolume(std::span<const TradeoffPoint> points, const TradeoffPoint& reference) {
  std::vector<TradeoffPoint> sorted(points.begin(), points.end());
  std::ranges::sort(sorted, std::ranges::greater(), &TradeoffPoint::text);
  double area = 0.0, covered = reference.identity;
  for (const auto& point : sorted) {
    if (point.text <= reference.text || point.identity <= covered) continue;
    area += (point.text - reference.text) * (point.identity - covered);
    covered = point.identity;
  }
  return area;
}

std::optional<double> identity_at(std::vector<TradeoffPoint> sweep, double text) {
  std::ranges::stable_sort(sweep, {}, &TradeoffPoint::text);
  for (std::size_t i = 0; i < sweep.size(); ++i) {
    if (sweep[i].text == text) return sweep[i].identity;
    if (i == 0 || sweep[i - 1].text > text || sweep[i].text < text) continue;
    const double share = (text - sweep[i - 1].text) / (sweep[i].text - sweep[i - 1].text);
    return sweep[i - 1].identity + share * (sweep[i].identity - sweep[i - 1].identity);
  }
  return {};
}

double dominance(std::span<const TradeoffPoint> differences, std::int64_t draws, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::int64_t above = 0;
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    double text = 0.0, identity = 0.0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      const auto& chosen = differences[random.below(differences.size())];
      text += chosen.text;
      identity += chosen.identity;
    }
    above += text > 0.0 && identity > 0.0 ? 1 : 0;
  }
  return static_cast<double>(above) / static_cast<double>(draws);
}

}  // namespace atelier::reports
