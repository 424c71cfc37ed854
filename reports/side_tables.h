#pragma once

#include <optional>

#include "reports/table.h"

namespace atelier::reports {

/// How far runs of a row lie apart, as standard deviations between concepts, between training seeds, and of a run's
/// finite pictures; none where no row has a concept with two seeds.
[[nodiscard]] std::optional<SideTable> variance_table(const Table& table);

}  // namespace atelier::reports
