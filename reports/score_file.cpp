#include "reports/score_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/core/text.h"
#include "reports/statistics.h"

namespace atelier::reports {
namespace {

[[noreturn]] void refuse_file(const std::string& path, const std::string& key, std::string found,
                              std::string expected) {
  throw Error({.where = path + ": " + key, .found = std::move(found), .expected = std::move(expected)});
}

const Json& member(const Json& object, const char* key, const std::string& path, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) refuse_file(path, where, fmt::format("no key \"{}\"", key), "schema, name and images");
  return *found;
}

std::string text_member(const Json& object, const char* key, const std::string& path, const std::string& where) {
  const Json& value = member(object, key, path, where);
  if (!value.is_string()) refuse_file(path, where + "." + key, value.dump(), "a text");
  return value.get<std::string>();
}

Metrics metrics_of(const Json& object, const std::string& path, const std::string& where) {
  const Json& scores = member(object, "scores", path, where);
  if (!scores.is_object()) refuse_file(path, where + ".scores", scores.dump(), "an object of numbers");
  Metrics metrics;
  for (const auto& [name, value] : scores.items()) {
    if (!value.is_number() && !value.is_null()) {
      refuse_file(path, fmt::format("{}.scores.{}", where, name), value.dump(), "a number or null");
    }
    metrics[name] = value.is_null() ? std::nullopt : std::optional(value.get<double>());
  }
  return metrics;
}

/// f(row, place) for each row of a list; nothing where the list may be absent.
template <typename F>
void each_row(const Json& file, const char* key, const std::string& path, bool required, const F& f) {
  if (!required && !file.contains(key)) return;
  const Json& rows = member(file, key, path, "file");
  if (!rows.is_array()) refuse_file(path, key, rows.type_name(), "a list");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string where = fmt::format("{}[{}]", key, i);
    if (!rows[i].is_object()) refuse_file(path, where, rows[i].dump(), "an object");
    f(rows[i], where);
  }
}

std::set<std::string> names_in(const Metrics& metrics) {
  std::set<std::string> names;
  for (const auto& [name, value] : metrics) names.insert(name);
  return names;
}

/// Means over the sets of each concept.
void add_concept_means(const std::map<ScoredCell, std::vector<double>>& cells, ConceptScores& result) {
  std::map<std::string, std::vector<double>> concepts;
  for (const auto& [cell, values] : cells) {
    if (const auto mean = mean_of(values)) {
      concepts[cell.first].push_back(*mean);
      ++result.sets;
    }
  }
  for (const auto& [name, means] : concepts) result.values[name] = *mean_of(means);
}

template <typename Rows>
bool has_metric(const Rows& rows, const std::string& metric) {
  return std::ranges::any_of(rows, [&](const auto& row) { return row.scores.contains(metric); });
}

}  // namespace

std::set<ScoredCell> ScoreFile::cells() const {
  std::set<ScoredCell> all;
  for (const auto& image : images) all.insert(image.cell);
  return all;
}

std::set<std::string> ScoreFile::metrics() const {
  std::set<std::string> all;
  for (const auto& image : images) all.merge(names_in(image.scores));
  for (const auto& set : sets) all.merge(names_in(set.scores));
  for (const auto& [name, scores] : concepts) all.merge(names_in(scores));
  return all;
}

ScoreFile read_score_file(const std::filesystem::path& path) {
  const std::string place = path.string();
  const Json json = parse_json(read_text_file(path), place);
  if (!json.is_object()) refuse_file(place, "file", json.type_name(), "an object with schema, name and images");
  ScoreFile file{
      .path = place, .name = text_member(json, "name", place, "file"), .images = {}, .sets = {}, .concepts = {}};
  static_cast<void>(text_member(json, "schema", place, "file"));
  std::set<std::pair<ScoredCell, std::int64_t>> seen;
  each_row(json, "images", place, true, [&](const Json& row, const std::string& where) {
    const Json& k = member(row, "k", place, where);
    if (!k.is_number_integer()) refuse_file(place, where + ".k", k.dump(), "an integer");
    ScoredImage image{.cell = {text_member(row, "concept", place, where), text_member(row, "prompt", place, where)},
                      .k = k.get<std::int64_t>(),
                      .scores = metrics_of(row, place, where)};
    if (!seen.emplace(image.cell, image.k).second) {
      refuse_file(place, where, fmt::format("{} {} {} a second time", image.cell.first, image.cell.second, image.k),
                  "each picture once");
    }
    file.images.push_back(std::move(image));
  });
  each_row(json, "sets", place, false, [&](const Json& row, const std::string& where) {
    file.sets.push_back({{text_member(row, "concept", place, where), text_member(row, "prompt", place, where)},
                         metrics_of(row, place, where)});
  });
  each_row(json, "concepts", place, false, [&](const Json& row, const std::string& where) {
    file.concepts[text_member(row, "concept", place, where)] = metrics_of(row, place, where);
  });
  return file;
}

ConceptScores concept_scores(const ScoreFile& file, const std::string& metric, const std::set<ScoredCell>* cells) {
  const auto counts = [&](const ScoredCell& cell) { return cells == nullptr || cells->contains(cell); };
  ConceptScores result;
  std::map<ScoredCell, std::vector<double>> values;
  if (metric != "overall" && has_metric(file.images, metric)) {
    result.of_images = true;
    for (const auto& image : file.images) {
      const auto found = image.scores.find(metric);
      if (found == image.scores.end() || !found->second || !counts(image.cell)) continue;
      values[image.cell].push_back(*found->second);
      result.images.push_back(*found->second);
    }
    add_concept_means(values, result);
    return result;
  }
  if (metric != "overall" && has_metric(file.sets, metric)) {
    for (const auto& set : file.sets) {
      const auto found = set.scores.find(metric);
      if (found != set.scores.end() && found->second && counts(set.cell)) values[set.cell].push_back(*found->second);
    }
    add_concept_means(values, result);
    return result;
  }
  bool known = false;
  std::set<std::string> allowed;
  if (cells != nullptr) {
    for (const auto& cell : *cells) allowed.insert(cell.first);
  }
  for (const auto& [name, scores] : file.concepts) {
    const auto found = scores.find(metric);
    known = known || found != scores.end();
    if (found != scores.end() && found->second && (cells == nullptr || allowed.contains(name))) {
      result.values[name] = *found->second;
    }
  }
  if (known) return result;
  const auto all = file.metrics();
  const std::vector<std::string> names(all.begin(), all.end());
  throw Error({.where = file.path,
               .found = fmt::format("no metric \"{}\"", metric),
               .expected = names.empty() ? "scores" : "one of " + join(names, ", ", 20)});
}

}  // namespace atelier::reports
