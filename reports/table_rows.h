#pragma once

#include <string>
#include <vector>

#include "reports/facts.h"
#include "reports/table.h"

namespace atelier::reports {

struct RowGroup {
  std::string label, kind;  ///< as in TableRow
  Json axes;
  std::vector<const RunFacts*> runs;  ///< borrowed from the facts
};

/// The study's runs as rows, anchors last. Runs that differ in an axis share a row only when the axis is in
/// `request.over`. Throws Error (usage) for an axis that no run has.
[[nodiscard]] std::vector<RowGroup> row_groups(const StudyFacts& facts, const TableRequest& request);

}  // namespace atelier::reports
