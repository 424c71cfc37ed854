#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "reports/cell_text.h"
#include "reports/table.h"

namespace atelier::reports {
namespace {

std::string cell_text(const Cell& cell) {
  std::string text = "–";
  if (cell.mean) text = short_number(*cell.mean);
  if (cell.mean && cell.se) text += " ± " + short_number(*cell.se);
  return text + missing_of(cell) + marks_of(cell);
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const auto& cell : cells) line += " " + one_line_markdown(cell) + " |";
  return line + "\n";
}

std::vector<std::string> headings(const Table& table) {
  std::vector<std::string> cells = {"row"};
  for (const auto& column : table.columns) {
    cells.push_back(column);
    if (!table.compare_to.empty()) cells.push_back("Δ " + column);
  }
  return cells;
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
  fields.insert(fields.end(), {full(cell.mean), full(cell.se), fmt::format("{}", cell.concepts),
                               fmt::format("{}", cell.concepts_expected), fmt::format("{}", cell.runs),
                               fmt::format("{}", cell.runs_expected), marks_of(cell)});
  if (!compared) return;
  const auto& found = cell.comparison;
  for (const auto member :
       {&Comparison::difference, &Comparison::ci_low, &Comparison::ci_high, &Comparison::p, &Comparison::p_holm}) {
    fields.push_back(found ? fmt::format("{}", (*found).*member) : "");
  }
}

Json number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json json_of(const Cell& cell) {
  Json json{{"mean", number(cell.mean)},   {"se", number(cell.se)},
            {"concepts", cell.concepts},   {"concepts_expected", cell.concepts_expected},
            {"runs", cell.runs},           {"runs_expected", cell.runs_expected},
            {"failed", cell.failed},       {"divergent", cell.divergent},
            {"ambiguous", cell.ambiguous}, {"dropped", cell.dropped},
            {"by_concept", Json::object()}};
  for (const auto& [name, value] : cell.values) json["by_concept"][name] = value;
  if (cell.comparison) {
    const auto& found = *cell.comparison;
    json["comparison"] = {{"difference", found.difference}, {"ci_low", found.ci_low},
                          {"ci_high", found.ci_high},       {"p", found.p},
                          {"p_holm", found.p_holm},         {"concepts", found.concepts}};
  }
  return json;
}

}  // namespace

std::string one_line_markdown(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      safe += ' ';
      continue;
    }
    if (c == '|' || c == '\\') safe += '\\';
    safe += c;
  }
  return safe;
}

std::string to_markdown(const Table& table) {
  std::string text;
  for (const auto& sentence : table.caption) text += one_line_markdown(sentence) + "\n";
  const auto heads = headings(table);
  text += "\n" + markdown_row(heads) + "|";
  for (std::size_t i = 0; i < heads.size(); ++i) text += i == 0 ? " --- |" : " ---: |";
  text += "\n";
  for (const auto& row : table.rows) {
    std::vector<std::string> cells = {row.label};
    for (const auto& cell : row.cells) {
      cells.push_back(cell_text(cell));
      if (!table.compare_to.empty()) cells.push_back(comparison_text(cell));
    }
    text += markdown_row(cells);
  }
  for (const auto& note : table.notes) text += "\n" + one_line_markdown(note) + "\n";
  return text;
}

std::string to_csv(const Table& table) {
  const bool compared = !table.compare_to.empty();
  std::vector<std::string> heads = {"row", "kind"};
  for (const auto& column : table.columns) {
    for (const char* suffix : {"", ".se", ".n", ".of", ".runs", ".runs_of", ".marks"}) heads.push_back(column + suffix);
    if (!compared) continue;
    for (const char* suffix : {".diff", ".ci_low", ".ci_high", ".p", ".p_holm"}) heads.push_back(column + suffix);
  }
  std::string text = csv_line(heads);
  for (const auto& row : table.rows) {
    std::vector<std::string> fields = {row.label, row.kind};
    for (const auto& cell : row.cells) add_csv(cell, compared, fields);
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
            {"rows", Json::array()}};
  for (const auto& row : table.rows) {
    Json cells = Json::object();
    for (std::size_t i = 0; i < row.cells.size(); ++i) cells[table.columns[i]] = json_of(row.cells[i]);
    json["rows"].push_back({{"label", row.label}, {"kind", row.kind}, {"axes", row.axes}, {"cells", cells}});
  }
  return json;
}

}  // namespace atelier::reports
