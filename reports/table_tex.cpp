#include <fmt/format.h>

#include "reports/cell_text.h"
#include "reports/escape.h"
#include "reports/table.h"
#include "reports/units.h"

namespace atelier::reports {
namespace {

std::string tex_cell(const std::string& column, const Cell& cell, Rank rank) {
  const Unit unit = unit_of(column, cell.mean.value_or(0.0));
  std::string text = cell.mean ? escape_tex(in_unit(*cell.mean, unit)) : "--";
  if (cell.mean && *cell.mean < 0.0) text = "$-$" + text.substr(text.starts_with("{-}") ? 3 : 0);
  if (rank == Rank::best) text = "\\textbf{" + text + "}";
  if (rank == Rank::second) text = "\\underline{" + text + "}";
  if (cell.mean && cell.se) text += " $\\pm$ " + in_unit(*cell.se, unit);
  if (cell.mean && !unit.name.empty()) text += "~" + unit.name;
  text += missing_of(cell);
  const auto marks = stars_of(cell) + marks_of(cell);
  return marks.empty() ? text : text + "\\textsuperscript{" + escape_tex(marks) + "}";
}

std::string tex_lines(const std::vector<std::string>& sentences) {
  std::string text;
  for (const auto& sentence : sentences) text += (text.empty() ? "" : " ") + escape_tex(sentence);
  return text;
}

std::string tex_rows(const Table& table) {
  const auto ranks = ranks_of(table);
  std::string text, kind = "method";
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    if (i > 0 && (row.kind == "method") != (kind == "method")) text += "    \\midrule\n";
    kind = row.kind;
    text += "    " + escape_tex(row.label);
    for (std::size_t j = 0; j < row.cells.size(); ++j) {
      text += " & " + tex_cell(table.columns[j], row.cells[j], ranks[i][j]);
    }
    text += " \\\\\n";
  }
  return text;
}

std::string tex_float(const Table& table) {
  std::string text = "\\begin{table}\n  \\centering\n  \\caption{" + tex_lines(table.caption) + "}\n";
  text += "  \\begin{tabular}{l" + std::string(table.columns.size(), 'r') + "}\n    \\toprule\n    row";
  for (const auto& column : table.columns) text += " & " + escape_tex(column);
  text += " \\\\\n    \\midrule\n" + tex_rows(table) + "    \\bottomrule\n  \\end{tabular}\n";
  auto notes = rank_notes(table);
  const auto stars = star_notes(table);
  notes.insert(notes.end(), stars.begin(), stars.end());
  notes.insert(notes.end(), table.notes.begin(), table.notes.end());
  if (!notes.empty()) text += "  \\par\\smallskip\n  {\\footnotesize " + tex_lines(notes) + "\\par}\n";
  return text + "\\end{table}\n";
}

std::string tex_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const auto& cell : cells) line += (line.empty() ? "    " : " & ") + escape_tex(cell);
  return line + " \\\\\n";
}

std::string tex_side(const SideTable& side) {
  std::string text = "\\begin{table}\n  \\centering\n  \\caption{" + escape_tex(side.title) + "}\n";
  text += "  \\begin{tabular}{l" + std::string(side.heads.size() - 1, 'r') + "}\n    \\toprule\n" +
          tex_line(side.heads) + "    \\midrule\n";
  for (const auto& row : side.rows) text += tex_line(row);
  return text + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
}

std::string tex_floats(const Table& table) {
  auto text = tex_float(table);
  for (const auto& side : table.sides) text += tex_side(side);
  return text;
}

}  // namespace

std::string to_tex(const Table& table, bool standalone) {
  if (!standalone) return "% needs \\usepackage{booktabs}\n" + tex_floats(table);
  return "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n"
         "\\usepackage[landscape,margin=1.5cm]{geometry}\n\\usepackage{booktabs}\n\\begin{document}\n" +
         tex_floats(table) + "\\end{document}\n";
}

}  // namespace atelier::reports
