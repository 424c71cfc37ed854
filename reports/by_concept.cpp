#include "reports/by_concept.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "reports/statistics.h"

namespace atelier::reports {
namespace {

constexpr double kStandardErrors = 2.0;

const TableRow& row_against(const Table& table, const std::string& name) {
  std::vector<const TableRow*> found;
  std::vector<std::string> labels;
  for (const auto& row : table.rows) {
    if (row.kind == "references") continue;
    labels.push_back(row.label);
    if (row.label == name) return row;
    if (row.label.starts_with(name)) found.push_back(&row);
  }
  if (found.size() == 1) return *found.front();
  throw Error(
      {.where = "--by-concept",
       .found = fmt::format("\"{}\", which is {}", name, found.empty() ? "no row" : "the beginning of several rows"),
       .expected = labels.empty() ? "a table with rows" : "one of " + join(labels, ", ", 20)},
      ErrorKind::usage);
}

ConceptCount count_concepts(const Cell& cell, const Cell& base) {
  ConceptCount result;
  double sum = 0.0;
  for (const auto& [subject, seeds] : cell.seeds) {
    const auto other = std::ranges::find(base.values, subject, &std::pair<std::string, double>::first);
    const auto error = standard_error(seeds);
    if (other == base.values.end() || !error) continue;
    const double difference = *mean_of(seeds) - other->second;
    ++result.concepts;
    sum += difference;
    if (difference > kStandardErrors * *error) ++result.above;
    if (difference < -kStandardErrors * *error) ++result.below;
  }
  if (result.concepts > 0) result.difference = sum / static_cast<double>(result.concepts);
  return result;
}

std::string counts_text(const ConceptCount& count) {
  if (count.concepts == 0) return "–";
  return fmt::format("{} above, {} below of {}; {:+.4f}", count.above, count.below, count.concepts, count.difference);
}

}  // namespace

ByConcept by_concept(const Table& table, const std::string& against) {
  const TableRow& base = row_against(table, against);
  ByConcept result{.against = base.label, .columns = table.columns, .rows = {}};
  for (const auto& row : table.rows) {
    if (row.kind != "method" || &row == &base) continue;
    ByConcept::Row counts{.label = row.label, .counts = {}};
    for (std::size_t i = 0; i < row.cells.size(); ++i)
      counts.counts.push_back(count_concepts(row.cells[i], base.cells[i]));
    result.rows.push_back(std::move(counts));
  }
  return result;
}

std::string to_markdown(const ByConcept& counts) {
  std::string text = fmt::format(
      "Concepts in which the mean over seeds is more than two of its standard errors above or below that of {}; mean "
      "difference.\n\n| row |",
      one_line_markdown(counts.against));
  for (const auto& column : counts.columns) text += " " + one_line_markdown(column) + " |";
  text += "\n| --- |";
  for (std::size_t i = 0; i < counts.columns.size(); ++i) text += " --- |";
  text += "\n";
  for (const auto& row : counts.rows) {
    text += "| " + one_line_markdown(row.label) + " |";
    for (const auto& count : row.counts) text += " " + counts_text(count) + " |";
    text += "\n";
  }
  return text;
}

}  // namespace atelier::reports
