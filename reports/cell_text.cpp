#include "reports/cell_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "reports/units.h"

namespace atelier::reports {
namespace {

constexpr double kLong = 10000.0;  // bytes and the like: no decimals

enum class Better { neither, more, less };

Better better_side(std::string_view column) {
  const std::string_view metric = column.substr(column.rfind('.') + 1);  // npos + 1 is 0
  for (const std::string_view cost : {"seconds", "minutes", "parameters", "bytes", "peak_memory"}) {
    if (metric == cost) return Better::less;
  }
  for (const std::string_view score : {"reconstruction", "editability", "clip_t_paper", "overall"}) {
    if (metric == score) return Better::more;
  }
  for (const std::string_view drift : {"kid", "fid", "miss_rate"}) {
    if (metric == drift) return Better::less;
  }
  if (metric.ends_with("_pres")) return Better::less;
  if (metric.ends_with("_paired")) return metric.starts_with("lpips") ? Better::less : Better::more;
  for (const std::string_view score : {"_i", "_t", "_div", "_i_kept", "_i_full"}) {
    if (metric.ends_with(score)) return Better::more;
  }
  return Better::neither;
}

bool has_two_methods(const Table& table) {
  std::set<Json> methods;
  for (const auto& row : table.rows) {
    if (row.kind == "method" && row.axes.is_object()) methods.insert(row.axes.value("method", Json()));
  }
  return methods.size() >= 2;
}

bool whole(const Cell& cell) {
  return cell.mean && !cell.failed && !cell.ambiguous && cell.concepts == cell.concepts_expected &&
         cell.runs == cell.runs_expected;
}

void rank_column(const Table& table, std::size_t column, std::vector<std::vector<Rank>>& ranks) {
  const Better better = better_side(table.columns[column]);
  if (better == Better::neither) return;
  const auto shown = [&](const TableRow& row) {
    const double mean = *row.cells[column].mean;
    const Unit unit = unit_of(table.columns[column], mean);
    return unit.scale * std::stod(in_unit(mean, unit));
  };
  const auto takes_part = [&](const TableRow& row) { return row.kind == "method" && whole(row.cells[column]); };
  std::set<double> values;
  for (const auto& row : table.rows) {
    if (takes_part(row)) values.insert(better == Better::less ? shown(row) : -shown(row));
  }
  if (values.size() < 2) return;  // nothing is better than anything
  const double best = *values.begin(), second = *std::next(values.begin());
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    if (!takes_part(table.rows[i])) continue;
    const double value = better == Better::less ? shown(table.rows[i]) : -shown(table.rows[i]);
    if (value == best) ranks[i][column] = Rank::best;
    if (value == second) ranks[i][column] = Rank::second;
  }
}

}  // namespace

std::string short_number(double value) {
  const double size = std::abs(value);
  const bool whole = size >= kLong || (value == std::floor(value) && size >= 10.0);
  auto text = fmt::format("{:.{}f}", value, whole ? 0 : size >= 10.0 ? 1 : 4);
  if (text.starts_with('-') && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);
  return text;
}

std::string marks_of(const Cell& cell) {
  std::string marks;
  if (cell.failed) marks += "†";
  if (cell.divergent) marks += "‡";
  if (cell.dropped > 0) marks += "§";
  if (cell.ambiguous) marks += "¶";
  if (cell.stale) marks += "°";
  return marks;
}

std::string missing_of(const Cell& cell) {
  const bool runs = cell.concepts > 0 && cell.runs < cell.runs_expected && cell.runs_expected > cell.concepts_expected;
  if (cell.concepts == cell.concepts_expected && !runs) return "";
  auto text = fmt::format(" ({} of {}", cell.concepts, cell.concepts_expected);
  if (runs) text += fmt::format(", {} of {} runs", cell.runs, cell.runs_expected);
  return text + ")";
}

std::string comparison_text(const Cell& cell) {
  if (!cell.comparison) return "–";
  const auto& found = *cell.comparison;
  const auto sign = [](double value) { return (value > 0.0 ? "+" : "") + short_number(value); };
  return fmt::format("{} [{}, {}], p = {}{}", sign(found.difference), sign(found.ci_low), sign(found.ci_high),
                     short_number(found.p_holm), cell.equivalent.value_or(false) ? ", equivalent" : "");
}

std::string stars_of(const Cell& cell) {
  if (!cell.comparison) return "";
  const double p = cell.comparison->p_holm;
  const std::string stars = p < 0.001 ? "***" : p < 0.01 ? "**" : p < 0.05 ? "*" : "";
  return cell.equivalent.value_or(false) ? stars + "≈" : stars;
}

std::vector<std::vector<Rank>> ranks_of(const Table& table) {
  std::vector<std::vector<Rank>> ranks(table.rows.size(), std::vector<Rank>(table.columns.size(), Rank::none));
  if (!has_two_methods(table)) return ranks;
  for (std::size_t column = 0; column < table.columns.size(); ++column) rank_column(table, column, ranks);
  return ranks;
}

std::vector<std::string> rank_notes(const Table& table, const std::string& second) {
  const auto ranks = ranks_of(table);
  const auto any = [](const std::vector<Rank>& row) {
    return std::ranges::any_of(row, [](Rank rank) { return rank != Rank::none; });
  };
  if (std::ranges::none_of(ranks, any)) return {};
  return {fmt::format(
      "Bold: best of the methods in its column; {}: second best. Values that lack concepts or runs take no part.",
      second)};
}

std::vector<std::string> star_notes(const Table& table) {
  const auto any = [&](const auto& holds) {
    return std::ranges::any_of(table.rows, [&](const TableRow& row) { return std::ranges::any_of(row.cells, holds); });
  };
  std::vector<std::string> notes;
  if (any([](const Cell& cell) { return stars_of(cell).starts_with('*'); })) {
    notes.push_back(
        fmt::format("*, **, ***: differs from {} with a corrected p below 0.05, 0.01, 0.001.", table.compare_to));
  }
  if (any([](const Cell& cell) { return cell.equivalent.value_or(false); })) {
    notes.push_back(fmt::format("≈: equivalent to {}, the interval lies within the margin.", table.compare_to));
  }
  return notes;
}

}  // namespace atelier::reports
