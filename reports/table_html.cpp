#include <fmt/format.h>

#include "reports/cell_text.h"
#include "reports/escape.h"
#include "reports/table.h"
#include "reports/units.h"

namespace atelier::reports {
namespace {

/// What the cell holds in full, for who points at it: the difference, and the values by concept.
std::string cell_title(const std::string& column, const Cell& cell) {
  std::string text;
  if (cell.comparison) text = "difference " + comparison_text(cell);
  for (const auto& [name, value] : cell.values) {
    text += (text.empty() ? "" : "\n") + name + ": " + with_unit(column, value);
  }
  return text;
}

std::string html_cell(const std::string& column, const Cell& cell, Rank rank) {
  const Unit unit = unit_of(column, cell.mean.value_or(0.0));
  std::string text = cell.mean ? in_unit(*cell.mean, unit) : "–";
  if (rank == Rank::best) text = "<strong>" + text + "</strong>";
  if (rank == Rank::second) text = "<u>" + text + "</u>";
  if (cell.mean && cell.se) text += " ± " + in_unit(*cell.se, unit);
  if (cell.mean && !unit.name.empty()) text += " " + unit.name;
  text += missing_of(cell);
  const auto marks = stars_of(cell) + marks_of(cell);
  if (!marks.empty()) text += "<sup>" + marks + "</sup>";
  const auto title = cell_title(column, cell);
  return (title.empty() ? "<td>" : "<td title=\"" + escape_html(title) + "\">") + text + "</td>";
}

std::string html_rows(const Table& table) {
  const auto ranks = ranks_of(table);
  std::string text;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    text += fmt::format("<tr class=\"{}\"><th scope=\"row\">{}</th>", escape_html(row.kind), escape_html(row.label));
    for (std::size_t j = 0; j < row.cells.size(); ++j) text += html_cell(table.columns[j], row.cells[j], ranks[i][j]);
    text += "</tr>\n";
  }
  return text;
}

std::string side_html(const SideTable& side) {
  std::string text = "<p>" + escape_html(side.title) + "</p>\n<table>\n<thead>\n<tr>";
  for (const auto& head : side.heads) text += "<th scope=\"col\">" + escape_html(head) + "</th>";
  text += "</tr>\n</thead>\n<tbody>\n";
  for (const auto& row : side.rows) {
    text += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? "<th scope=\"row\">" + escape_html(row[i]) + "</th>" : "<td>" + escape_html(row[i]) + "</td>";
    }
    text += "</tr>\n";
  }
  return text + "</tbody>\n</table>\n";
}

}  // namespace

std::string to_html(const Table& table) {
  std::string text = "<figure class=\"atelier-table\">\n<figcaption>\n";
  for (const auto& sentence : table.caption) text += "<p>" + escape_html(sentence) + "</p>\n";
  text += "</figcaption>\n<table>\n<thead>\n<tr><th scope=\"col\">row</th>";
  for (const auto& column : table.columns) text += "<th scope=\"col\">" + escape_html(column) + "</th>";
  text += "</tr>\n</thead>\n<tbody>\n" + html_rows(table) + "</tbody>\n</table>\n";
  auto notes = rank_notes(table);
  const auto stars = star_notes(table);
  notes.insert(notes.end(), stars.begin(), stars.end());
  notes.insert(notes.end(), table.notes.begin(), table.notes.end());
  for (const auto& note : notes) text += "<p class=\"note\">" + escape_html(note) + "</p>\n";
  for (const auto& side : table.sides) text += side_html(side);
  return text + "</figure>\n";
}

}  // namespace atelier::reports
