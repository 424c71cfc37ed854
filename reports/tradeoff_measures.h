#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace atelier::reports {

/// What a row comes to on the two axes that trade against each other.
struct TradeoffPoint {
  double text = 0.0, identity = 0.0;
};

/// Area above and right of `reference` that the points dominate; 0 when none does.
[[nodiscard]] double hypervolume(std::span<const TradeoffPoint> points, const TradeoffPoint& reference);

/// Identity at a level of text, linear between the points of a sweep in order of text; none outside of their range.
[[nodiscard]] std::optional<double> identity_at(std::vector<TradeoffPoint> sweep, double text);

/// Share of bootstrap draws over concepts in which the mean difference is above 0 on both axes. Draws as those of
/// compare_paired. `differences`: by concept in byte order, at least one.
[[nodiscard]] double dominance(std::span<const TradeoffPoint> differences, std::int64_t draws = 10000,
                               std::uint64_t seed = 0);

}  // namespace atelier::reports
