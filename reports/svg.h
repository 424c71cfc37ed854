#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atelier::reports {

/// A range of values laid out along an axis of a plot.
struct Axis {
  double low = 0.0, high = 1.0;   ///< values
  double from = 0.0, to = 100.0;  ///< where these lie, in the plot's units; `to` may be less than `from`
  [[nodiscard]] double place(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

/// An axis that holds all values with a margin of 5 % of their spread (of 1 where they are equal; 0 to 1 where there
/// are none).
[[nodiscard]] Axis axis_over(const std::vector<double>& values, double from, double to);
/// Round values along an axis, `step` apart: 1, 2 or 5 times a power of ten.
struct Ticks {
  double step = 1.0;
  std::vector<double> values;
};
/// At most about `count` of them.
[[nodiscard]] Ticks ticks_of(const Axis& axis, int count);
/// As short as it can be told apart from its neighbours `step` away.
[[nodiscard]] std::string tick_text(double value, double step);
/// A coordinate, with one decimal.
[[nodiscard]] std::string at(double coordinate);
/// Colour `i` of eight that are told apart by eyes of every kind, on light and on dark ground (after Okabe and Ito).
[[nodiscard]] std::string_view colour_of(std::size_t i);
/// At most `limit` code points, the last an ellipsis where some were left out.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t limit);

}  // namespace atelier::reports
