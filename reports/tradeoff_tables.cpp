#include "reports/tradeoff_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "reports/cell_text.h"
#include "reports/tradeoff.h"
#include "reports/tradeoff_measures.h"

namespace atelier::reports {
namespace {

constexpr const char* kNothing = "–";

/// One evaluation's two columns of a table.
class Axes {
 public:
  Axes(const Table& table, const Tradeoff& names)
      : table_(table), identity_(place(names.identity)), text_(place(names.text)) {}

  [[nodiscard]] const Cell& identity(const TableRow& row) const { return row.cells[identity_]; }
  [[nodiscard]] const Cell& text(const TableRow& row) const { return row.cells[text_]; }

  /// Of the concepts that have both.
  [[nodiscard]] std::map<std::string, TradeoffPoint> by_concept(const TableRow& row) const {
    const std::map<std::string, double> texts(text(row).values.begin(), text(row).values.end());
    std::map<std::string, TradeoffPoint> points;
    for (const auto& [name, value] : identity(row).values) {
      if (const auto found = texts.find(name); found != texts.end()) points[name] = {found->second, value};
    }
    return points;
  }

  [[nodiscard]] std::optional<TradeoffPoint> mean(const TableRow& row) const {
    if (!identity(row).mean || !text(row).mean) return {};
    return TradeoffPoint{*text(row).mean, *identity(row).mean};
  }

  /// Identity of prompt only and text of image only; none unless the table has one of each.
  [[nodiscard]] std::optional<TradeoffPoint> worst() const {
    std::vector<double> identities, texts;
    for (const auto& row : table_.rows) {
      const bool prompt_only = row.axes.is_object() && row.axes.value("method", Json()) == Json("anchor:prompt_only");
      if (prompt_only && identity(row).mean) identities.push_back(*identity(row).mean);
      if (row.kind == "references" && text(row).mean) texts.push_back(*text(row).mean);
    }
    if (identities.size() != 1 || texts.size() != 1) return {};
    return TradeoffPoint{texts.front(), identities.front()};
  }

 private:
  [[nodiscard]] std::size_t place(const std::string& name) const {
    return static_cast<std::size_t>(std::ranges::find(table_.columns, name) - table_.columns.begin());
  }

  const Table& table_;  // borrowed
  const std::size_t identity_, text_;
};

/// The rows of each method, in the table's order.
std::vector<std::vector<const TableRow*>> methods_of(const Table& table) {
  std::vector<std::vector<const TableRow*>> methods;
  for (const auto& row : table.rows) {
    if (row.kind != "method") continue;
    const Json name = row.axes.value("method", Json());
    const auto found = std::ranges::find_if(
        methods, [&](const auto& rows) { return rows.front()->axes.value("method", Json()) == name; });
    if (found == methods.end()) {
      methods.push_back({&row});
    } else {
      found->push_back(&row);
    }
  }
  return methods;
}

std::string together_text(const std::map<std::string, TradeoffPoint>& points) {
  std::vector<double> values;
  for (const auto& [name, point] : points) {
    if (point.identity >= 0.0 && point.text >= 0.0) values.push_back(std::sqrt(point.identity * point.text));
  }
  if (values.empty() || values.size() < points.size()) return kNothing;
  const auto error = standard_error(values);
  return short_number(*mean_of(values)) + (error ? " ± " + short_number(*error) : "");
}

std::string dominance_text(const Table& table, const Axes& axes, const TableRow& row) {
  if (!row.base) return kNothing;
  const auto own = axes.by_concept(row), other = axes.by_concept(table.rows[*row.base]);
  std::vector<TradeoffPoint> differences;
  for (const auto& [name, point] : own) {
    const auto found = other.find(name);
    if (found == other.end()) continue;
    differences.push_back({point.text - found->second.text, point.identity - found->second.identity});
  }
  return differences.size() < 2 ? kNothing : short_number(dominance(differences));
}

/// The scores over all prompts, where the table has them: only these have both ends of the scale.
Tradeoff over_all_prompts(const Table& table, const Tradeoff& names) {
  Tradeoff found{names.evaluation, "", ""};
  for (const auto& column : table.columns) {
    if (column.substr(0, column.rfind('.')) != names.evaluation) continue;
    if (column.ends_with("_i") && found.identity.empty()) found.identity = column;
    if (column.ends_with("_t") && found.text.empty()) found.text = column;
  }
  return found.identity.empty() || found.text.empty() ? names : found;
}

std::string hypervolume_text(const Axes& axes, const std::vector<const TableRow*>& rows) {
  const auto worst = axes.worst();
  std::vector<TradeoffPoint> points;
  for (const auto* row : rows) {
    if (const auto point = axes.mean(*row)) points.push_back(*point);
  }
  return !worst || points.empty() ? kNothing : short_number(hypervolume(points, *worst));
}

SideTable points_table(const Table& table, const Tradeoff& names) {
  const Axes axes(table, names);
  const auto all = over_all_prompts(table, names);
  const Axes all_axes(table, all);
  SideTable side{.title = fmt::format("{}: {} and {} together. Hypervolume: the area of {} and {} that a method's rows "
                                      "dominate, from the identity of prompt only and the text of image only on.",
                                      names.evaluation, names.identity, names.text, all.identity, all.text),
                 .heads = {"row", "√(identity · text)", "hypervolume"},
                 .rows = {}};
  if (!table.compare_to.empty()) {
    side.title += fmt::format(" Above in both: share of bootstrap draws over concepts that lie above {} on both axes.",
                              table.compare_to);
    side.heads.emplace_back("above in both");
  }
  for (const auto& rows : methods_of(table)) {
    const auto area = hypervolume_text(all_axes, rows);
    for (const auto* row : rows) {
      auto& cells = side.rows.emplace_back();
      cells = {row->label, together_text(axes.by_concept(*row)), area};
      if (!table.compare_to.empty()) cells.push_back(dominance_text(table, axes, *row));
    }
  }
  return side;
}

/// Three levels within the text that every sweep reaches; empty where there is no such range.
std::vector<double> levels_of(const Axes& axes, const std::vector<std::vector<const TableRow*>>& sweeps) {
  std::optional<double> low, high;
  for (const auto& rows : sweeps) {
    std::vector<double> texts;
    for (const auto* row : rows) {
      if (const auto point = axes.mean(*row)) texts.push_back(point->text);
    }
    if (texts.size() < 2) return {};
    const auto [least, most] = std::ranges::minmax(texts);
    low = std::max(low.value_or(least), least);
    high = std::min(high.value_or(most), most);
  }
  if (!low || *low >= *high) return {};
  std::vector<double> levels;
  for (const double share : {0.25, 0.5, 0.75}) levels.push_back(*low + share * (*high - *low));
  return levels;
}

std::string level_text(const Axes& axes, const std::vector<const TableRow*>& rows, double level) {
  std::map<std::string, std::vector<TradeoffPoint>> sweeps;
  for (const auto* row : rows) {
    for (const auto& [name, point] : axes.by_concept(*row)) sweeps[name].push_back(point);
  }
  std::vector<double> values;
  for (const auto& [name, sweep] : sweeps) {
    if (const auto value = identity_at(sweep, level)) values.push_back(*value);
  }
  if (values.size() < 2) return kNothing;
  const auto interval = compare_paired(values);
  return fmt::format("{} [{}, {}] ({} of {})", short_number(interval.difference), short_number(interval.ci_low),
                     short_number(interval.ci_high), values.size(), sweeps.size());
}

std::optional<SideTable> sweep_table(const Table& table, const Tradeoff& names) {
  const Axes axes(table, names);
  auto sweeps = methods_of(table);
  std::erase_if(sweeps, [](const auto& rows) { return rows.size() < 2; });
  const auto levels = levels_of(axes, sweeps);
  if (levels.empty()) return {};
  SideTable side{.title = fmt::format("{} at levels of {}: interpolated for each concept between the rows of a method, "
                                      "with a 95 % bootstrap interval over the concepts that reach the level.",
                                      names.identity, names.text),
                 .heads = {"method"},
                 .rows = {}};
  for (const double level : levels) side.heads.push_back(short_number(level));
  for (const auto& rows : sweeps) {
    const Json name = rows.front()->axes.value("method", Json());
    auto& cells = side.rows.emplace_back();
    cells.push_back(name.is_string() ? name.get<std::string>() : rows.front()->label);
    for (const double level : levels) cells.push_back(level_text(axes, rows, level));
  }
  return side;
}

}  // namespace

std::vector<SideTable> tradeoff_tables(const Table& table) {
  std::vector<SideTable> sides;
  for (const auto& names : tradeoffs_of(table.columns)) {
    sides.push_back(points_table(table, names));
    if (auto sweep = sweep_table(table, names)) sides.push_back(std::move(*sweep));
  }
  return sides;
}

}  // namespace atelier::reports
