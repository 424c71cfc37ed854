#include "reports/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace atelier::reports {
namespace {

double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least) return factor * power;
  }
  return 10.0 * power;
}

}  // namespace

Axis axis_over(const std::vector<double>& values, double from, double to) {
  if (values.empty()) return {0.0, 1.0, from, to};
  const auto [low, high] = std::ranges::minmax(values);
  const double spread = high > low ? high - low : 1.0;
  return {low - 0.05 * spread, high + 0.05 * spread, from, to};
}

Ticks ticks_of(const Axis& axis, int count) {
  Ticks ticks{round_step((axis.high - axis.low) / count), {}};
  for (double i = std::ceil(axis.low / ticks.step); i * ticks.step <= axis.high; ++i) {
    ticks.values.push_back(i * ticks.step);
  }
  return ticks;
}

std::string tick_text(double value, double step) {
  const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 9);
  auto text = fmt::format("{:.{}f}", value, digits);
  if (text.starts_with('-') && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);
  return text;
}

std::string at(double coordinate) { return fmt::format("{:.1f}", coordinate); }

std::string_view colour_of(std::size_t i) {
  static constexpr std::array<std::string_view, 8> kColours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                            "#e69f00", "#56b4e9", "#8a63d2", "#8c8c00"};
  return kColours[i % kColours.size()];
}

std::string shortened(std::string_view text, std::size_t limit) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; };
  std::size_t points = 0, cut = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!begins(text[i])) continue;
    if (points + 1 == limit) cut = i;
    if (++points > limit) return std::string(text.substr(0, cut)) + "…";
  }
  return std::string(text);
}

}  // namespace atelier::reports
