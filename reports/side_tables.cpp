#include "reports/side_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/cell_text.h"

namespace atelier::reports {
namespace {

std::string deviation(double variance) { return short_number(std::sqrt(variance)); }

std::string variance_text(const Cell& cell) {
  if (!cell.variance) return "–";
  const auto& parts = *cell.variance;
  return fmt::format("{} / {} / {}", deviation(parts.concepts), deviation(parts.seeds),
                     parts.pictures ? deviation(*parts.pictures) : "–");
}

}  // namespace

std::optional<SideTable> variance_table(const Table& table) {
  SideTable side{.title =
                     "Standard deviations of single runs: between concepts / between training seeds of a concept / "
                     "of the pictures of one training (method of moments; –: not known, and part of the seeds').",
                 .heads = {"row"},
                 .rows = {}};
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto known = [&](const TableRow& row) { return row.cells[i].variance.has_value(); };
    if (table.columns[i].find('.') == std::string::npos || std::ranges::none_of(table.rows, known)) continue;
    columns.push_back(i);
    side.heads.push_back(table.columns[i]);
  }
  if (columns.empty()) return {};
  for (const auto& row : table.rows) {
    if (row.kind != "method") continue;
    std::vector<std::string> cells = {row.label};
    for (const auto i : columns) cells.push_back(variance_text(row.cells[i]));
    side.rows.push_back(std::move(cells));
  }
  return side;
}

}  // namespace atelier::reports
