#pragma once

#include <string>
#include <vector>

#include "reports/table.h"

namespace atelier::reports {

/// Two columns of a table against each other.
struct Tradeoff {
  std::string evaluation, identity, text;  ///< its name, and the columns' names
};

/// For each evaluation among the columns that scores both: `reconstruction` and `editability`, else its first image
/// and its first text score.
[[nodiscard]] std::vector<Tradeoff> tradeoffs_of(const std::vector<std::string>& columns);

/// A plot of the table's rows: text alignment to the right, identity upwards, bars of one standard error over concepts.
/// Methods are filled, anchors hollow; the references, which have no text score, are dashed lines. A whole SVG with a
/// legend, in the colour of the text around it. Rows that lack one of the two are named below.
[[nodiscard]] std::string tradeoff_svg(const Table& table, const Tradeoff& tradeoff);

}  // namespace atelier::reports
