#pragma once

#include <vector>

#include "reports/table.h"

namespace atelier::reports {

/// Identity and text together, for each evaluation that scores both (evaluation.md 8.6): for each row √(identity ·
/// text) as a mean over concepts, how sure it is that it lies above the row it is compared with on both axes, and the
/// area that its method's rows dominate from the point (identity of prompt only, text of image only) on, where the
/// table has both; then, for methods with several rows, identity at fixed levels of text.
[[nodiscard]] std::vector<SideTable> tradeoff_tables(const Table& table);

}  // namespace atelier::reports
