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

// Columns are <evaluation>.<score>: neighbours of one evaluation stand under its name, which keeps the columns narrow.
std::string tex_heads(const std::vector<std::string>& columns) {
  std::string groups, rules, scores = "    row";
  for (std::size_t i = 0, end = 0; i < columns.size(); i = end) {
    const auto evaluation = columns[i].substr(0, columns[i].find('.') + 1);
    for (end = i; end < columns.size() && columns[end].starts_with(evaluation) && (end == i || !evaluation.empty());
         ++end) {
      scores += " & " + escape_tex(columns[end].substr(evaluation.size()));
    }
    const auto name = evaluation.empty() ? "" : escape_tex(evaluation.substr(0, evaluation.size() - 1));
    groups += fmt::format(" & \\multicolumn{{{}}}{{c}}{{{}}}", end - i, name);
    if (!name.empty()) rules += fmt::format(" \\cmidrule(lr){{{}-{}}}", i + 2, end + 1);
  }
  scores += " \\\\\n";
  return rules.empty() ? scores : "   " + groups + " \\\\\n   " + rules + "\n" + scores;
}

// As wide as it is, but never wider than the text.
std::string tex_fitted(const std::string& tabular) {
  return "  \\sbox0{%\n" + tabular +
         "  }%\n  \\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi\n";
}

std::string tex_float(const Table& table) {
  std::string text = "\\begin{table}\n  \\centering\n  \\caption{" + tex_lines(table.caption) + "}\n";
  text += tex_fitted("  \\begin{tabular}{l" + std::string(table.columns.size(), 'r') + "}\n    \\toprule\n" +
                     tex_heads(table.columns) + "    \\midrule\n" + tex_rows(table) +
                     "    \\bottomrule\n  \\end{tabular}%\n");
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
  std::string rows;
  for (const auto& row : side.rows) rows += tex_line(row);
  text += tex_fitted("  \\begin{tabular}{l" + std::string(side.heads.size() - 1, 'r') + "}\n    \\toprule\n" +
                     tex_line(side.heads) + "    \\midrule\n" + rows + "    \\bottomrule\n  \\end{tabular}%\n");
  return text + "\\end{table}\n";
}

std::string tex_floats(const Table& table) {
  auto text = tex_float(table);
  for (const auto& side : table.sides) text += tex_side(side);
  return text;
}

}  // namespace

std::string to_tex(const Table& table, bool standalone) {
  if (!standalone) return "% needs \\usepackage{booktabs,graphicx}\n" + tex_floats(table);
  return "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n"
         "\\usepackage[landscape,margin=1.5cm]{geometry}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n" +
         tex_floats(table) + "\\end{document}\n";
}

}  // namespace atelier::reports
