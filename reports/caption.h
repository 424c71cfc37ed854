#pragma once

#include <string>
#include <vector>

#include "reports/facts.h"
#include "reports/scores.h"
#include "reports/table.h"

namespace atelier::reports {

/// What the numbers are: study, protocols, encoders, samplers, counts, seeds, what the study changed.
[[nodiscard]] std::vector<std::string> caption_of(Index& index, const StudyFacts& facts,
                                                  const std::vector<Column>& columns, const Table& table);
/// Columns of mixed numerics, what the marks in the table mean, and why jobs failed.
[[nodiscard]] std::vector<std::string> notes_of(Index& index, const StudyFacts& facts,
                                                const std::vector<Column>& columns, const Table& table);

}  // namespace atelier::reports
