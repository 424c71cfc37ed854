#include "reports/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/text.h"
#include "reports/table.h"
#include "reports/table_rows.h"

namespace atelier::reports {
namespace {

RowGroup part_of(const RowGroup& group, const Selection& selection, bool development) {
  RowGroup part = group;
  std::erase_if(part.runs,
                [&](const RunFacts* run) { return selection.development.contains(run->subject) != development; });
  return part;
}

/// The place of a method's chosen row among its rows; none while development scores are missing.
std::optional<std::size_t> choose(const Selection& selection, const std::vector<RowGroup>& rows,
                                  const std::function<Cell(const RowGroup&)>& score) {
  std::optional<std::size_t> chosen;
  std::optional<double> best;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (selection.step) {
      if (rows[i].axes.value("checkpoint", Json()) == Json(*selection.step)) return i;
      continue;
    }
    const Cell cell = score(part_of(rows[i], selection, true));
    if (!cell.mean || cell.runs < cell.runs_expected) return {};
    if (best && *cell.mean <= *best) continue;
    best = cell.mean;
    chosen = i;
  }
  return chosen;
}

std::string rule_text(const Selection& selection) {
  const std::vector<std::string> names(selection.development.begin(), selection.development.end());
  const auto rule = selection.step ? fmt::format("step {}, fixed beforehand", *selection.step)
                                   : fmt::format("the greatest {} over the development concepts", selection.best);
  return fmt::format("Selection: of each method the row with {}; development concepts (left out here): {}. Chosen: ",
                     rule, join(names));
}

Json record_of(const Selection& selection, Json chosen) {
  Json record{{"development", selection.development}, {"chosen", std::move(chosen)}};
  if (selection.step) {
    record["step"] = *selection.step;
  } else {
    record["best"] = selection.best;
  }
  return record;
}

}  // namespace

std::optional<Selection> selection_from(const Json& json) {
  if (!json.is_object()) return {};
  Selection selection{
      .development = json.at("development").get<std::set<std::string>>(), .best = json.value("best", ""), .step = {}};
  if (json.contains("step")) selection.step = json.at("step").get<std::int64_t>();
  return selection;
}

Choice select_rows(const Selection& selection, const std::function<Cell(const RowGroup& group)>& score,
                   std::vector<RowGroup>& groups) {
  Json chosen_rows = Json::object();
  std::vector<RowGroup> kept;
  std::vector<std::string> told;
  while (!groups.empty()) {
    const Json method = groups.front().axes.value("method", Json());
    const bool anchor = groups.front().kind != "method";
    std::vector<RowGroup> rows, rest;
    for (auto& group : groups) {
      const bool same = anchor ? rows.empty() : group.axes.value("method", Json()) == method;
      (same ? rows : rest).push_back(std::move(group));
    }
    groups = std::move(rest);
    const auto chosen = anchor ? std::optional<std::size_t>(0) : choose(selection, rows, score);
    kept.push_back(part_of(rows[chosen.value_or(0)], selection, false));
    if (!chosen) {
      kept.back().label += " (none selected yet)";
      kept.back().runs.clear();
    }
    if (!anchor && method.is_string()) {
      chosen_rows[method.get<std::string>()] = chosen ? Json(kept.back().label) : Json();
    }
    if (!anchor) told.push_back(fmt::format("{} of {}", kept.back().label, rows.size()));
  }
  groups = std::move(kept);
  return {.sentence = rule_text(selection) + join(told, "; ", 100) + ".",
          .record = record_of(selection, std::move(chosen_rows))};
}

}  // namespace atelier::reports
