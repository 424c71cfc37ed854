#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reports/table.h"

namespace atelier::reports {

/// In how many concepts a row differs from another by more than chance between its seeds would explain: the mean over
/// the seeds of a concept is more than two standard errors of that mean away. The pictures of all seeds of a concept
/// start from the same noise, so the row without seeds (an anchor) is one number.
struct ConceptCount {
  std::int64_t above = 0, below = 0;
  std::int64_t concepts = 0;  ///< that both rows have, with at least two seeds
  double difference = 0.0;    ///< mean over these
};

struct ByConcept {
  std::string against;  ///< label of the row that the others are held against
  std::vector<std::string> columns;
  struct Row {
    std::string label;
    std::vector<ConceptCount> counts;
  };
  std::vector<Row> rows;  ///< methods only
};

/// `against`: a label of the table, or its beginning where only one row has it. Throws Error (usage) for one that is
/// not there.
[[nodiscard]] ByConcept by_concept(const Table& table, const std::string& against);
[[nodiscard]] std::string to_markdown(const ByConcept& counts);

}  // namespace atelier::reports
