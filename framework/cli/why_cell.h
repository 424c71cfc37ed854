#pragma once

#include <optional>
#include <string>

#include "framework/core/json.h"
#include "framework/store/index.h"

namespace atelier::cli {

/// A cell of a study's table: "demo/textreg @ step 280/ti_code.clip_i".
struct CellName {
  std::string study, row, column;
};
/// Nothing where the text has not two slashes.
[[nodiscard]] std::optional<CellName> parse_cell(const std::string& text);

/// What a cell is a mean of: {"study", "row", "column", "mean", "se", "concepts": [{"concept", "value", "runs":
/// [{"run", "seed", "scores": [key], "pictures": [key], "error"}]}]}. `table`: a table that the study names. Throws
/// Error (usage) for a row or column that it has not, with those it has.
[[nodiscard]] Json cell_origin(Index& index, const CellName& cell, const std::string& table);

/// The same as lines.
void print_cell(const Json& cell);

}  // namespace atelier::cli
