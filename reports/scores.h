#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/facts.h"

namespace atelier::reports {

/// A column: a metric of an evaluation, or a fact about the training (evaluation null).
struct Column {
  std::string name;                        ///< as shown
  const Evaluation* evaluation = nullptr;  ///< borrowed from the facts
  std::string metric;
};

struct Score {
  std::optional<double> value;
  std::int64_t dropped = 0;        ///< pictures or sets without it
  std::optional<double> pictures;  ///< the variance of `value` over other draws of as many pictures
};

/// The metrics that every evaluation shows when none is asked for.
[[nodiscard]] std::vector<Column> default_columns(const StudyFacts& facts);
/// Minutes of training, greatest memory, trained parameters, bytes of the artifact.
[[nodiscard]] std::vector<Column> cost_columns();
/// Throws Error (usage) with the nearest name when there is no such evaluation or metric.
[[nodiscard]] Column column_of(const StudyFacts& facts, const std::string& name);

/// The two scores whose geometric mean the column is (`overall`), as columns of their own; none for any other column.
[[nodiscard]] std::vector<Column> parts_of(const Column& column);
/// Mean over references, over pictures of a prompt, then over prompts; nulls are left out of every mean. Of a column
/// without parts.
[[nodiscard]] Score score_of(Index& index, const std::string& key, const Column& column);
/// seconds, minutes and peak_memory (in bytes; their sum, and the greatest, over all stages), parameters, bytes,
/// final_loss (of the last).
[[nodiscard]] std::optional<double> training_fact(Index& index, const StudyFacts& facts, const RunFacts& run,
                                                  const std::string& name);
/// A concept's references against themselves, for columns of image scores: `which` is "distinct" or "all"; against the
/// texts of all prompts, for columns of text scores.
[[nodiscard]] std::optional<double> reference_score(Index& index, const std::string& key, const Column& column,
                                                    const std::string& which);

}  // namespace atelier::reports
