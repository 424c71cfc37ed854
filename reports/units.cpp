#include "reports/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "reports/cell_text.h"

namespace atelier::reports {
namespace {

using Step = std::pair<double, const char*>;

constexpr std::array<Step, 4> kBytes{{{1, "B"}, {1e3, "KB"}, {1e6, "MB"}, {1e9, "GB"}}};
constexpr std::array<Step, 4> kCounts{{{1, ""}, {1e3, "k"}, {1e6, "M"}, {1e9, "G"}}};
constexpr std::array<Step, 3> kSeconds{{{1, "s"}, {60, "min"}, {3600, "h"}}};

/// The largest step that leaves at least 1.
Unit stepped(std::span<const Step> steps, double value, double one) {
  const Step* chosen = &steps.front();
  for (const Step& step : steps) {
    if (std::abs(value) >= step.first * one) chosen = &step;
  }
  return {.scale = chosen->first * one, .name = chosen->second, .measured = true};
}

}  // namespace

Unit unit_of(const std::string& column, double value) {
  if (column == "seconds") return stepped(kSeconds, value, 1.0);
  if (column == "minutes") return stepped(kSeconds, value, 1.0 / 60.0);
  if (column == "peak_memory" || column == "bytes") return stepped(kBytes, value, 1.0);
  if (column == "parameters") return stepped(kCounts, value, 1.0);
  return {};
}

std::string in_unit(double value, const Unit& unit) {
  const double number = value / unit.scale, size = std::abs(number);
  if (!unit.measured) return short_number(number);
  const bool whole = unit.scale == 1.0 && value == std::floor(value);  // bytes, single parameters
  return fmt::format("{:.{}f}", number, whole || size >= 100.0 ? 0 : size >= 10.0 ? 1 : 2);
}

std::string with_unit(const std::string& column, double value) {
  const Unit unit = unit_of(column, value);
  return in_unit(value, unit) + (unit.name.empty() ? "" : " " + unit.name);
}

}  // namespace atelier::reports
