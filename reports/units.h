#pragma once

#include <string>

namespace atelier::reports {

/// What a number of a column is shown in, so that it reads well: costs of a training in s, min or h, B to GB (of 1000),
/// k to G; scores and the rest as they are.
struct Unit {
  double scale = 1.0;  ///< the number is divided by it
  std::string name;    ///< "GB"; empty: none
  bool measured = false;
};
[[nodiscard]] Unit unit_of(const std::string& column, double value);

/// The number alone, in that unit: three digits of what was measured, of the rest what short_number() gives.
[[nodiscard]] std::string in_unit(double value, const Unit& unit);
/// "4.20 M", "0.3137".
[[nodiscard]] std::string with_unit(const std::string& column, double value);

}  // namespace atelier::reports
