#include "framework/cli/resolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/store/index.h"
#include "framework/store/queries.h"
#include "reports/detectable.h"
#include "reports/study_tables.h"

namespace atelier::cli {
namespace {

/// Standard deviations of paired differences between methods over 30 DreamBooth subjects: least and greatest of three
/// pairs, computed from the data published with ImagenHub (arXiv:2312.14867) and VIEScore.
const std::map<std::string, std::array<double, 2>> kPublished{{"clip_i", {0.058, 0.110}}, {"dino_i", {0.151, 0.195}}};

std::int64_t concepts_of(const Json& manifest) {
  const Json select = manifest.value("resolved", Json::object()).value("select", Json::object());
  const auto development = select.value("development", std::set<std::string>());  // tables show the others
  std::set<std::string> concepts;
  for (const Json& run : manifest.at("runs")) {
    if (run.at("method").get<std::string>().starts_with("anchor:")) continue;
    if (const auto name = run.at("concept").get<std::string>(); !development.contains(name)) concepts.insert(name);
  }
  return static_cast<std::int64_t>(concepts.size());
}

/// Root of the mean square over the rows of each column, from the scores that the store has of the study.
std::map<std::string, double> measured(Index& index, const Json& manifest, const std::string& name) {
  std::map<std::string, std::vector<double>> squares;
  try {
    const auto last = current_manifest(index, manifest.at("study").get<std::string>());
    const auto table = reports::make_table(index, last, reports::study_request(index, last, name));
    for (const auto& row : table.rows) {
      for (std::size_t i = 0; i < row.cells.size(); ++i) {
        const auto& comparison = row.cells[i].comparison;
        if (!comparison || !comparison->se) continue;
        squares[table.columns[i]].push_back(*comparison->se * *comparison->se *
                                            static_cast<double>(comparison->concepts));
      }
    }
  } catch (const Error&) {
    return {};  // not run yet, or other columns then
  }
  std::map<std::string, double> deviations;
  for (const auto& [column, values] : squares) deviations[column] = std::sqrt(*reports::mean_of(values));
  return deviations;
}

Json resolution_of(const std::string& column, std::int64_t concepts, const std::map<std::string, double>& measured) {
  const auto own = measured.find(column);
  const auto known = kPublished.find(column.substr(column.rfind('.') + 1));
  Json deviations = Json::array();
  Json from;
  if (own != measured.end()) {
    deviations = {own->second, own->second};
    from = "measured";
  } else if (known != kPublished.end()) {
    deviations = known->second;
    from = "published";
  }
  Json differences = Json::array();
  for (const Json& deviation : from.is_null() ? Json{1.0, 1.0} : deviations) {
    differences.push_back(*reports::detectable_difference(deviation.get<double>(), concepts));
  }
  return {{"column", column},
          {"concepts", concepts},
          {"deviation", from.is_null() ? Json() : deviations},
          {"from", from},
          {"difference", differences}};
}

std::string difference_text(const Json& entry) {
  const double low = entry.at("difference")[0].get<double>(), high = entry.at("difference")[1].get<double>();
  if (entry.at("from").is_null()) return fmt::format("{:.2f} standard deviations", low);
  const auto from = entry.at("from") == "measured" ? "deviation measured here" : "deviation as published";
  return low == high ? fmt::format("{:.3f} ({})", low, from) : fmt::format("{:.3f} to {:.3f} ({})", low, high, from);
}

}  // namespace

Json planned_resolution(const Json& manifest, const std::optional<Store>& store) {
  Json all = Json::array();
  const auto concepts = concepts_of(manifest);
  std::optional<Index> index;
  for (const auto& [name, table] : manifest.at("tables").items()) {
    if (table.at("compare_to") == "" || concepts < 2) continue;
    if (store && !index) index.emplace(*store);
    const auto deviations = index ? measured(*index, manifest, name) : std::map<std::string, double>();
    for (const Json& column : table.at("columns")) {
      const auto text = column.get<std::string>();
      if (text.find('.') == std::string::npos) continue;  // a cost
      Json entry = resolution_of(text, concepts, deviations);
      entry["table"] = name;
      entry["compare_to"] = table.at("compare_to");
      all.push_back(std::move(entry));
    }
  }
  return all;
}

std::vector<std::string> resolution_lines(const Json& resolution) {
  std::map<std::string, std::vector<std::string>> parts;
  std::map<std::string, std::string> heads;
  for (const Json& entry : resolution) {
    const auto name = entry.at("table").get<std::string>();
    heads[name] =
        fmt::format("table {}: over {} concepts a difference from {} is found (80 % power, p < 0.05) from: ", name,
                    entry.at("concepts").dump(), entry.at("compare_to").get<std::string>());
    parts[name].push_back(entry.at("column").get<std::string>() + " " + difference_text(entry));
  }
  std::vector<std::string> lines;
  for (const auto& [name, head] : heads) lines.push_back(head + join(parts[name], "; "));
  return lines;
}

}  // namespace atelier::cli
