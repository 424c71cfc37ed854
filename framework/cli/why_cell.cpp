#include "framework/cli/why_cell.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/store/queries.h"
#include "reports/facts.h"
#include "reports/study_tables.h"
#include "reports/table.h"
#include "reports/table_rows.h"

namespace atelier::cli {
namespace {

constexpr std::size_t kCellDigits = 12;

[[noreturn]] void refuse(const char* what, const std::string& found, const std::vector<std::string>& names) {
  const auto near = nearest(found, names);
  throw Error({.where = fmt::format("why: {}", what),
               .found = "\"" + found + "\"",
               .expected = join(names, ", ", 12),
               .advice = near.empty() ? "" : fmt::format("did you mean \"{}\"?", near)},
              ErrorKind::usage);
}

std::size_t index_of(const char* what, const std::string& name, const std::vector<std::string>& names) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) refuse(what, name, names);
  return static_cast<std::size_t>(found - names.begin());
}

/// The keys of a run's pictures that an evaluation looks at.
Json pictures_of(Index& index, const std::string& manifest, const std::string& run, const std::string& evaluation) {
  Json keys = Json::array();
  for (const auto& artifact : artifacts_of(index, manifest, run)) {
    const bool pictures = artifact.kind == "sample" || artifact.kind == "given";
    if (pictures && std::ranges::find(artifact.evaluations, evaluation) != artifact.evaluations.end())
      keys.push_back(artifact.key);
  }
  return keys;
}

Json trainings_of(Index& index, const std::string& manifest, const std::string& run) {
  Json keys = Json::array();
  for (const auto& artifact : artifacts_of(index, manifest, run)) {
    if (artifact.kind == "train" && artifact.own) keys.push_back(artifact.key);
  }
  return keys;
}

Json run_part(Index& index, const std::string& manifest, const reports::RunFacts& run, const std::string& evaluation) {
  Json part{{"run", run.id}, {"seed", run.seed ? Json(*run.seed) : Json()}, {"scores", Json::array()}};
  const auto scoring = run.scores.find(evaluation);
  if (scoring == run.scores.end()) {
    part["trainings"] = trainings_of(index, manifest, run.id);
    return part;
  }
  part["scores"] = scoring->second.keys;
  part["pictures"] = pictures_of(index, manifest, run.id, evaluation);
  part["failed"] = scoring->second.failed || run.failed;
  part["divergent"] = scoring->second.divergent || run.divergent;
  part["stale"] = scoring->second.stale;
  return part;
}

std::vector<std::string> marks_of(const Json& run) {
  std::vector<std::string> marks;
  if (run.value("failed", false)) marks.push_back("something failed: `atelier logs` tells");
  if (run.value("divergent", false)) marks.push_back("other bytes came out under a key");
  if (run.value("stale", false)) marks.push_back("scored before the pictures were made anew");
  return marks;
}

void print_run_part(const Json& run) {
  const auto shown = [](const Json& keys) {
    std::vector<std::string> items;
    for (const Json& key : keys) items.push_back(key.get<std::string>().substr(0, kCellDigits));
    return join(items, " ", 2);
  };
  std::string text = fmt::format("    run {}  seed {}", run.at("run").get<std::string>(),
                                 run.at("seed").is_null() ? "-" : run.at("seed").dump());
  if (!run.at("scores").empty()) text += "  scores " + shown(run.at("scores"));
  if (run.contains("pictures"))
    text += fmt::format("  {} sets of pictures {}", run.at("pictures").size(), shown(run.at("pictures")));
  if (run.contains("trainings")) text += "  trained " + shown(run.at("trainings"));
  fmt::print("{}\n", text);
  for (const auto& mark : marks_of(run)) fmt::print("      {}\n", mark);
}

}  // namespace

std::optional<CellName> parse_cell(const std::string& text) {
  const auto first = text.find('/'), last = text.rfind('/');
  if (first == std::string::npos || first == last) return std::nullopt;
  return CellName{text.substr(0, first), text.substr(first + 1, last - first - 1), text.substr(last + 1)};
}

Json cell_origin(Index& index, const CellName& cell, const std::string& table_name) {
  const std::string manifest = current_manifest(index, cell.study);
  const auto request = reports::study_request(index, manifest, table_name);
  const reports::Table table = reports::make_table(index, manifest, request);
  std::vector<std::string> labels;
  for (const auto& row : table.rows) labels.push_back(row.label);
  const auto& row = table.rows.at(index_of("row", cell.row, labels));
  const auto& value = row.cells.at(index_of("column", cell.column, table.columns));
  const auto facts = reports::read_facts(index, manifest);
  std::map<std::string, std::vector<Json>> runs;  // by concept
  const std::string evaluation = cell.column.substr(0, cell.column.find('.'));
  for (const auto& group : reports::row_groups(facts, request)) {
    if (group.label != row.label) continue;
    for (const auto* run : group.runs) runs[run->subject].push_back(run_part(index, manifest, *run, evaluation));
  }
  Json concepts = Json::array();
  for (const auto& [subject, parts] : runs) {
    const auto mean = std::ranges::find(value.values, subject, [](const auto& each) { return each.first; });
    concepts.push_back(
        {{"concept", subject}, {"value", mean == value.values.end() ? Json() : Json(mean->second)}, {"runs", parts}});
  }
  return {{"study", cell.study},
          {"row", row.label},
          {"column", cell.column},
          {"mean", value.mean ? Json(*value.mean) : Json()},
          {"se", value.se ? Json(*value.se) : Json()},
          {"concepts", std::move(concepts)}};
}

void print_cell(const Json& cell) {
  const auto number = [](const Json& value) {
    return value.is_null() ? std::string("–") : fmt::format("{:.4f}", value.get<double>());
  };
  fmt::print("{} of {} in {}: {}{}, the mean over {} concepts\n", cell.at("column").get<std::string>(),
             cell.at("row").get<std::string>(), cell.at("study").get<std::string>(), number(cell.at("mean")),
             cell.at("se").is_null() ? "" : " ± " + number(cell.at("se")), cell.at("concepts").size());
  for (const Json& subject : cell.at("concepts")) {
    fmt::print("  {}: {}\n", subject.at("concept").get<std::string>(), number(subject.at("value")));
    for (const Json& run : subject.at("runs")) print_run_part(run);
  }
  fmt::print(
      "`atelier why KEY` follows scores and pictures to photos and base model; `atelier show RUN` lists all keys\n");
}

}  // namespace atelier::cli
