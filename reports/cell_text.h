#pragma once

#include <string>
#include <vector>

#include "reports/table.h"

namespace atelier::reports {

/// Scores with four decimals, numbers of other size (seconds, bytes) with at most one, from 10,000 on with none.
[[nodiscard]] std::string short_number(double value);
/// † failed, ‡ divergent, § pictures without a score, ¶ ambiguous, ° stale.
[[nodiscard]] std::string marks_of(const Cell& cell);
/// " (2 of 3)"; " (3 of 3, 5 of 6 runs)" when a concept lacks seeds; "" when nothing lacks.
[[nodiscard]] std::string missing_of(const Cell& cell);
/// "+0.1000 [+0.0500, +0.1500], p = 0.0312", and ", equivalent" behind it; "–" without a comparison.
[[nodiscard]] std::string comparison_text(const Cell& cell);
/// By the corrected p: "***" below 0.001, "**" below 0.01, "*" below 0.05, else ""; then "≈" where the difference is
/// equivalent to none.
[[nodiscard]] std::string stars_of(const Cell& cell);

/// Place of a value among the methods of its column.
enum class Rank { none, best, second };

/// [rows][columns]. Ranked are the shown numbers of rows of methods, where the table has at least two methods and the
/// column a better side: more for scores, less for drift (kid, fid, PRES, LPIPS from the base model), seconds, parameters,
/// bytes and peak_memory. The others (final_loss, which methods do not share, spreads such as gbar_norm, and changes)
/// have none. A value that lacks concepts or runs takes no
/// part; equal numbers share a place.
[[nodiscard]] std::vector<std::vector<Rank>> ranks_of(const Table& table);

/// What bold and `second` ("underlined") values of the table are; none where there are no places.
[[nodiscard]] std::vector<std::string> rank_notes(const Table& table, const std::string& second = "underlined");
/// What the signs of stars_of are; one sentence each, none for what the table does not have.
[[nodiscard]] std::vector<std::string> star_notes(const Table& table);

}  // namespace atelier::reports
