#include "reports/score_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "reports/statistics.h"

namespace atelier::reports {
namespace {

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

std::vector<double> numbers_of(const std::map<std::string, double>& values) {
  std::vector<double> all;
  for (const auto& [name, value] : values) all.push_back(value);
  return all;
}

Json summary_of(const ConceptScores& scores) {
  const auto values = numbers_of(scores.values);
  Json json{{"mean", number_or_null(mean_of(values))},
            {"se", number_or_null(standard_error(values))},
            {"n_concepts", values.size()}};
  if (scores.of_images) {
    json["n_sets"] = scores.sets;
    json["n_images"] = scores.images.size();
    json["micro"] = number_or_null(mean_of(scores.images));
  }
  return json;
}

/// Two files to be compared, and the cells that count.
struct FilePair {
  const ScoreFile* a;  ///< borrowed
  const ScoreFile* b;
  std::set<ScoredCell> cells;
};

std::string cell_name(const ScoredCell& cell) { return fmt::format("({}, {})", cell.first, cell.second); }

FilePair pair_of(const ScoreFile& a, const ScoreFile& b, bool common) {
  FilePair pair{.a = &a, .b = &b, .cells = {}};
  const auto in_a = a.cells(), in_b = b.cells();
  std::ranges::set_intersection(in_a, in_b, std::inserter(pair.cells, pair.cells.end()));
  std::vector<ScoredCell> apart;
  std::ranges::set_symmetric_difference(in_a, in_b, std::back_inserter(apart));
  if (!apart.empty() && !common) {
    const bool a_has = in_a.contains(apart.front());
    throw Error(
        {.where = a_has ? b.path : a.path,
         .found = fmt::format("no pictures of {}, which {} has", cell_name(apart.front()), a_has ? a.path : b.path),
         .expected = "the same concepts and prompts in both",
         .advice = "--common compares what both have"});
  }
  return pair;
}

std::vector<FilePair> pairs_of(const std::vector<ScoreFile>& files, const CompareRequest& request) {
  std::vector<FilePair> pairs;
  if (request.baseline.empty()) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      for (std::size_t j = i + 1; j < files.size(); ++j) pairs.push_back(pair_of(files[i], files[j], request.common));
    }
    return pairs;
  }
  const auto base = std::ranges::find(files, request.baseline, &ScoreFile::name);
  if (base == files.end()) {
    std::vector<std::string> names;
    for (const auto& file : files) names.push_back(file.name);
    throw Error({.where = "--baseline", .found = request.baseline, .expected = "one of " + join(names)});
  }
  for (const auto& file : files) {
    if (&file != &*base) pairs.push_back(pair_of(file, *base, request.common));
  }
  return pairs;
}

/// The requested ones, else those of every file.
std::vector<std::string> metrics_of(const std::vector<ScoreFile>& files, const std::vector<std::string>& requested) {
  if (!requested.empty()) return requested;
  std::set<std::string> common = files.front().metrics();
  for (const auto& file : files) {
    const auto own = file.metrics();
    std::erase_if(common, [&](const std::string& name) { return !own.contains(name); });
  }
  return {common.begin(), common.end()};
}

void check_files(const std::vector<ScoreFile>& files) {
  if (files.size() < 2) {
    throw Error({.where = "--in", .found = fmt::format("{} file", files.size()), .expected = "at least two"});
  }
  std::map<std::string, std::string> names;
  for (const auto& file : files) {
    const auto [known, fresh] = names.emplace(file.name, file.path);
    if (fresh) continue;
    throw Error({.where = file.path + ": name",
                 .found = fmt::format("\"{}\", which is that of {} too", file.name, known->second),
                 .expected = "a name of its own"});
  }
}

/// One comparison; `comparison` is empty when no concept has both values.
struct Compared {
  std::string metric;
  const FilePair* pair;
  std::vector<double> a, b;
  std::optional<Comparison> comparison;
};

Compared compared(const std::string& metric, const FilePair& pair, const CompareRequest& request) {
  Compared result{.metric = metric, .pair = &pair, .a = {}, .b = {}, .comparison = {}};
  const auto a = concept_scores(*pair.a, metric, &pair.cells), b = concept_scores(*pair.b, metric, &pair.cells);
  std::vector<double> differences;
  for (const auto& [name, value] : a.values) {
    const auto other = b.values.find(name);
    if (other == b.values.end()) continue;
    result.a.push_back(value);
    result.b.push_back(other->second);
    differences.push_back(value - other->second);
  }
  if (!differences.empty()) result.comparison = compare_paired(differences, request.draws, request.seed);
  return result;
}

Json json_of(const Compared& compared, const CompareRequest& request) {
  std::vector<double> differences;
  for (std::size_t i = 0; i < compared.a.size(); ++i) differences.push_back(compared.a[i] - compared.b[i]);
  const auto& found = compared.comparison;
  Json json{{"metric", compared.metric},
            {"a", compared.pair->a->name},
            {"b", compared.pair->b->name},
            {"n_concepts", differences.size()},
            {"mean_a", number_or_null(mean_of(compared.a))},
            {"mean_b", number_or_null(mean_of(compared.b))},
            {"diff", number_or_null(mean_of(differences))},
            {"se", number_or_null(standard_error(differences))},
            {"ci_low", found ? Json(found->ci_low) : Json()},
            {"ci_high", found ? Json(found->ci_high) : Json()},
            {"p", found ? Json(found->p) : Json()},
            {"p_method", found ? Json(found->exact ? "exact" : "monte_carlo") : Json()},
            {"p_holm", found ? Json(found->p_holm) : Json()},
            {"equivalent", Json()}};
  if (const auto margin = request.margins.find(compared.metric); found && margin != request.margins.end()) {
    json["equivalent"] = lies_within(*found, margin->second);
  }
  return json;
}

/// Holm's correction of those comparisons that are one family.
void correct(std::vector<Compared>& all, bool by_metric) {
  std::map<std::string, std::vector<Comparison*>> families;
  for (auto& each : all) {
    if (each.comparison) families[by_metric ? each.metric : ""].push_back(&*each.comparison);
  }
  for (const auto& [name, family] : families) correct_holm(family);
}

}  // namespace

Json summarise(const std::vector<ScoreFile>& files, const std::vector<std::string>& metrics) {
  Json methods = Json::array();
  for (const auto& file : files) {
    Json summaries = Json::object();
    for (const auto& metric : metrics_of({file}, metrics)) summaries[metric] = summary_of(concept_scores(file, metric));
    methods.push_back({{"name", file.name}, {"metrics", summaries}});
  }
  return {{"schema", "atelier.summary/1"}, {"methods", methods}};
}

Json compare_scores(const std::vector<ScoreFile>& files, const CompareRequest& request) {
  check_files(files);
  const auto pairs = pairs_of(files, request);
  std::vector<Compared> all;
  for (const auto& metric : metrics_of(files, request.metrics)) {
    for (const auto& pair : pairs) all.push_back(compared(metric, pair, request));
  }
  correct(all, request.by_metric);
  Json comparisons = Json::array();
  for (const auto& each : all) comparisons.push_back(json_of(each, request));
  return {{"schema", "atelier.compare/1"},
          {"draws", request.draws},
          {"seed", request.seed},
          {"family", request.by_metric ? "metric" : "table"},
          {"comparisons", comparisons}};
}

}  // namespace atelier::reports
