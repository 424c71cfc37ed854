#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "reports/cell_text.h"
#include "reports/table.h"
#include "reports/units.h"

namespace atelier::reports {
namespace {

std::string cell_text(const std::string& column, const Cell& cell, Rank rank) {
  const Unit unit = unit_of(column, cell.mean.value_or(0.0));
  std::string text = "–";
  if (cell.mean) text = in_unit(*cell.mean, unit);
  if (rank == Rank::best) text = "**" + text + "**";
  if (rank == Rank::second) text = "*" + text + "*";
  if (cell.mean && cell.se) text += " ± " + in_unit(*cell.se, unit);
  if (cell.mean && !unit.name.empty()) text += " " + unit.name;
  return text + missing_of(cell) + marks_of(cell);
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const auto& cell : cells) line += " " + cell + " |";
  return line + "\n";
}

std::vector<std::string> headings(const Table& table) {
  std::vector<std::string> cells = {"row"};
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    cells.push_back(one_line_markdown(table.columns[i]));
    if (is_compared(table, i)) cells.push_back("Δ " + cells.back());
  }
  return cells;
}

std::string markdown_head(const std::vector<std::string>& heads) {
  std::string text = markdown_row(heads) + "|";
  for (std::size_t i = 0; i < heads.size(); ++i) text += i == 0 ? " --- |" : " ---: |";
  return text + "\n";
}

std::string side_markdown(const SideTable& side) {
  const auto safe = [](std::vector<std::string> cells) {
    for (auto& cell : cells) cell = one_line_markdown(cell);
    return cells;
  };
  auto text = one_line_markdown(side.title) + "\n\n" + markdown_head(safe(side.heads));
  for (const auto& row : side.rows) text += markdown_row(safe(row));
  return text;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) line += (i > 0 ? "," : "") + csv_field(fields[i]);
  return line + "\r\n";
}

std::string full(const std::optional<double>& value) { return value ? fmt::format("{}", *value) : ""; }

void add_csv(const Cell& cell, bool compared, std::vector<std::string>& fields) {
  const auto& parts = cell.variance;
  fields.insert(fields.end(), {full(cell.mean), full(cell.se), fmt::format("{}", cell.concepts),
                               fmt::format("{}", cell.concepts_expected), fmt::format("{}", cell.runs),
                               fmt::format("{}", cell.runs_expected), marks_of(cell)});
  fields.insert(fields.end(), {parts ? full(parts->concepts) : "", parts ? full(parts->seeds) : "",
                               parts ? full(parts->pictures) : ""});
  if (!compared) return;
  const auto& found = cell.comparison;
  for (const auto member :
       {&Comparison::difference, &Comparison::ci_low, &Comparison::ci_high, &Comparison::p, &Comparison::p_holm}) {
    fields.push_back(found ? fmt::format("{}", (*found).*member) : "");
  }
  fields.emplace_back(!cell.equivalent ? "" : *cell.equivalent ? "yes" : "no");
}

Json number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json json_of(const Cell& cell) {
  Json json{{"mean", number(cell.mean)},   {"se", number(cell.se)},
            {"concepts", cell.concepts},   {"concepts_expected", cell.concepts_expected},
            {"runs", cell.runs},           {"runs_expected", cell.runs_expected},
            {"failed", cell.failed},       {"divergent", cell.divergent},
            {"ambiguous", cell.ambiguous}, {"stale", cell.stale},
            {"dropped", cell.dropped},     {"by_concept", Json::object()}};
  for (const auto& [name, value] : cell.values) json["by_concept"][name] = value;
  if (cell.variance) {
    const auto& parts = *cell.variance;
    json["variance"] = {{"concepts", parts.concepts}, {"seeds", parts.seeds}, {"pictures", number(parts.pictures)}};
  }
  if (cell.comparison) {
    const auto& found = *cell.comparison;
    json["comparison"] = {
        {"difference", found.difference}, {"ci_low", found.ci_low},     {"ci_high", found.ci_high}, {"p", found.p},
        {"p_holm", found.p_holm},         {"concepts", found.concepts}, {"exact", found.exact}};
    json["comparison"]["equivalent"] = cell.equivalent ? Json(*cell.equivalent) : Json();
  }
  return json;
}

}  // namespace

std::string one_line_markdown(const std::string& text) {
  constexpr std::string_view kSigns = "|\\*`<";
  std::string safe;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      safe += ' ';
      continue;
    }
    const bool link = c == '(' && safe.ends_with(']');
    if (link || kSigns.find(c) != std::string_view::npos) safe += '\\';
    safe += c;
  }
  return safe;
}

std::string to_markdown(const Table& table) {
  std::string text;
  for (const auto& sentence : table.caption) text += one_line_markdown(sentence) + "\n";
  text += "\n" + markdown_head(headings(table));
  const auto ranks = ranks_of(table);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    std::vector<std::string> cells = {one_line_markdown(row.label)};
    for (std::size_t j = 0; j < row.cells.size(); ++j) {
      cells.push_back(cell_text(table.columns[j], row.cells[j], ranks[i][j]));
      if (is_compared(table, j)) cells.push_back(comparison_text(row.cells[j]));
    }
    text += markdown_row(cells);
  }
  auto notes = rank_notes(table, "italic");
  notes.insert(notes.end(), table.notes.begin(), table.notes.end());
  for (const auto& note : notes) text += "\n" + one_line_markdown(note) + "\n";
  for (const auto& side : table.sides) text += "\n" + side_markdown(side);
  return text;
}

std::string to_csv(const Table& table) {
  std::vector<std::string> heads = {"row", "kind"};
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto& column = table.columns[i];
    for (const char* suffix :
         {"", ".se", ".n", ".of", ".runs", ".runs_of", ".marks", ".var_concepts", ".var_seeds", ".var_pictures"})
      heads.push_back(column + suffix);
    if (!is_compared(table, i)) continue;
    for (const char* suffix : {".diff", ".ci_low", ".ci_high", ".p", ".p_holm", ".equivalent"})
      heads.push_back(column + suffix);
  }
  std::string text = csv_line(heads);
  for (const auto& row : table.rows) {
    std::vector<std::string> fields = {row.label, row.kind};
    for (std::size_t i = 0; i < row.cells.size(); ++i) add_csv(row.cells[i], is_compared(table, i), fields);
    text += csv_line(fields);
  }
  return text;
}

Json to_json(const Table& table) {
  Json json{{"schema", "atelier.table/1"},
            {"study", table.study},
            {"manifest", table.manifest},
            {"columns", table.columns},
            {"caption", table.caption},
            {"notes", table.notes},
            {"compare_to", table.compare_to.empty() ? Json() : Json(table.compare_to)},
            {"compare_axes", table.compare_axes},
            {"margins", Json::object()},
            {"selection", table.selection},
            {"rows", Json::array()}};
  for (std::size_t i = 0; i < table.margins.size(); ++i) {
    if (table.margins[i]) json["margins"][table.columns[i]] = *table.margins[i];
  }
  for (const auto& row : table.rows) {
    Json cells = Json::object();
    for (std::size_t i = 0; i < row.cells.size(); ++i) cells[table.columns[i]] = json_of(row.cells[i]);
    json["rows"].push_back({{"label", row.label}, {"kind", row.kind}, {"axes", row.axes}, {"cells", cells}});
  }
  return json;
}

}  // namespace atelier::reports
