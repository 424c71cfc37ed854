#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier::reports {

struct Cell;
struct RowGroup;

/// How one of a method's rows is chosen before the test concepts are looked at (evaluation.md 8.5). The study's text
/// holds it, and with it the manifest, which is stored before any picture is there.
struct Selection {
  std::set<std::string> development = {};  ///< concepts that the choice is made on, and that the table leaves out
  std::string best = {};                   ///< column: the row with the greatest mean over these; the first of equals
  std::optional<std::int64_t> step = {};   ///< instead: the row of this checkpoint

  [[nodiscard]] bool operator==(const Selection&) const = default;
};

/// What came of it.
struct Choice {
  std::string sentence;
  Json record;  ///< {"development", "best" or "step", "chosen": {method: label, null: not yet}}
};

/// From the form in which a manifest keeps it: {"development": [...], "best": column} or {…, "step": n}.
[[nodiscard]] std::optional<Selection> selection_from(const Json& json);

/// Leaves of each method the chosen row, and of all rows the runs of test concepts. A method whose rows lack
/// development scores keeps its first, with no run in it: nothing may be shown yet, and its label says so. `score`: a
/// group's cell in the column `best`.
[[nodiscard]] Choice select_rows(const Selection& selection, const std::function<Cell(const RowGroup& group)>& score,
                                 std::vector<RowGroup>& groups);

}  // namespace atelier::reports
