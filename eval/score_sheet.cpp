#include "eval/score_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

#include "eval/score_table.h"
#include "framework/core/error.h"

namespace atelier::eval {
namespace {

using Value = std::optional<double>;

/// Of what is defined.
Value mean_of(const std::vector<Value>& values) {
  double sum = 0.0;
  std::int64_t count = 0;
  for (const Value& value : values) {
    if (!value) continue;
    sum += *value;
    ++count;
  }
  return count == 0 ? std::nullopt : Value(sum / static_cast<double>(count));
}

/// sqrt(a·b) (evaluation.md 3); undefined where one of the two is, or is negative.
Value overall_of(const Reduction& reduction, const std::function<Value(const std::string&)>& score) {
  const Value a = score(reduction.overall[0]), b = score(reduction.overall[1]);
  return a && b && *a >= 0 && *b >= 0 ? Value(std::sqrt(*a * *b)) : std::nullopt;
}

void add_overall(const Reduction& reduction, NamedScores& scores) {
  if (reduction.overall.empty()) return;
  scores["overall"] = overall_of(reduction, [&](const std::string& name) { return scores.at(name); });
}

Value set_mean(const ScoredConcept& subject, const std::string& score,
               const std::function<bool(const SheetSet&)>& counts) {
  std::vector<Value> values;
  for (std::size_t i = 0; i < subject.sets.size(); ++i) {
    if (counts(subject.sets[i])) values.push_back(subject.scores.sets[i].scores.at(score));
  }
  return mean_of(values);
}

NamedScores concept_scores(const Protocol& protocol, const Reduction& reduction, const ScoredConcept& subject) {
  NamedScores scores;
  for (const auto& [name, value] : subject.scores.sets.front().scores) {
    scores[name] = set_mean(subject, name, [](const SheetSet&) { return true; });
  }
  for (const auto& [role, use] : protocol.encoders) {
    if (!use.image) continue;
    scores[role + "_i_kept"] = set_mean(subject, role + "_i", [](const SheetSet& set) { return set.keeps_appearance; });
  }
  for (const auto& [name, derived] : reduction.derived) {
    scores[name] = set_mean(subject, derived.score,
                            [&](const SheetSet& set) { return set.reconstruction == derived.reconstruction; });
  }
  add_overall(reduction, scores);
  return scores;
}

/// A score that a picture does not have is null.
Json image_scores(const Protocol& protocol, const ImageScores& image) {
  const auto own = image.scores(protocol);
  Json json = Json::object();
  for (const auto& name : image_metrics(protocol)) json[name] = own.contains(name) ? score_json(own.at(name)) : Json();
  return json;
}

class Tables {
 public:
  Tables(const Protocol& protocol, const Reduction& reduction, bool pairs)
      : protocol_(protocol), reduction_(reduction), pairs_(pairs) {
    for (const auto* name : {"images", "sets", "concepts"}) json_[name] = Json::array();
    json_["anchors"] = {{"concepts", Json::array()}};
    if (pairs) json_["pairs"] = Json::array();
  }

  void add(const ScoredConcept& subject);
  [[nodiscard]] Json finish();

 private:
  void add_image(const ScoredConcept& subject, std::size_t set, std::size_t k);
  void add_pairs(const ScoredConcept& subject, const Json& place, const ImageScores& image);
  void add_set(const ScoredConcept& subject, std::size_t index);
  [[nodiscard]] Json summary(const std::string& metric) const;

  const Protocol& protocol_;
  const Reduction& reduction_;
  bool pairs_;
  Json json_ = Json::object();
  std::vector<NamedScores> concepts_, anchors_;
  std::map<std::string, std::vector<Value>> images_, sets_;  // by metric
};

void Tables::add(const ScoredConcept& subject) {
  std::size_t images = 0, missed = 0;
  for (std::size_t i = 0; i < subject.sets.size(); ++i) {
    const auto& rows = subject.scores.sets[i].images;
    for (std::size_t k = 0; k < rows.size(); ++k) add_image(subject, i, k);
    images += rows.size();
    missed += static_cast<std::size_t>(std::ranges::count_if(rows, [](const auto& row) { return row.status != "ok"; }));
    add_set(subject, i);
  }
  const auto& scores = concepts_.emplace_back(concept_scores(protocol_, reduction_, subject));
  json_["concepts"].push_back({{"concept", subject.name},
                               {"n_sets", subject.sets.size()},
                               {"n_images", images},
                               {"miss_rate", static_cast<double>(missed) / static_cast<double>(images)},
                               {"scores", score_json(scores)}});
  anchors_.push_back(subject.scores.anchors);
  json_["anchors"]["concepts"].push_back({{"concept", subject.name}, {"scores", score_json(subject.scores.anchors)}});
}

void Tables::add_image(const ScoredConcept& subject, std::size_t set, std::size_t k) {
  const ImageScores& image = subject.scores.sets[set].images[k];
  Json row{{"concept", subject.name}, {"prompt", subject.sets[set].prompt}, {"k", k}};
  if (pairs_) add_pairs(subject, row, image);
  row["file"] = subject.sets[set].files[k];
  row["status"] = image.status;
  row["scores"] = image_scores(protocol_, image);
  if (image.foreground) row["foreground"] = *image.foreground;
  for (const auto& [name, value] : row["scores"].items()) {
    images_[name].push_back(value.is_null() ? std::nullopt : Value(value.get<double>()));
  }
  json_["images"].push_back(std::move(row));
}

void Tables::add_pairs(const ScoredConcept& subject, const Json& place, const ImageScores& image) {
  for (std::size_t r = 0; r < subject.references.size(); ++r) {
    Json row = place;
    row["reference"] = subject.references[r];
    row["scores"] = Json::object();
    for (const auto& name : image_metrics(protocol_)) {
      if (!name.ends_with("_t")) row["scores"][name] = nullptr;
    }
    for (const auto& [encoder, cosines] : image.pairs) row["scores"][pair_metric(encoder)] = cosines[r];
    json_["pairs"].push_back(std::move(row));
  }
}

void Tables::add_set(const ScoredConcept& subject, std::size_t index) {
  const SetScores& set = subject.scores.sets[index];
  NamedScores scores = set.scores;
  for (const auto& name : image_metrics(protocol_)) sets_[name].push_back(scores.at(name));
  add_overall(reduction_, scores);
  json_["sets"].push_back({{"concept", subject.name},
                           {"prompt", subject.sets[index].prompt},
                           {"text", set.scoring_text},
                           {"n", set.images.size()},
                           {"scores", score_json(scores)}});
}

std::vector<Value> column(const std::vector<NamedScores>& rows, const std::string& metric) {
  std::vector<Value> values;
  for (const auto& row : rows) values.push_back(row.at(metric));
  return values;
}

std::size_t defined(const std::vector<Value>& values) {
  return static_cast<std::size_t>(std::ranges::count_if(values, [](const Value& value) { return value.has_value(); }));
}

/// sd with n - 1 over sqrt(n); undefined below two.
Value standard_error(const std::vector<Value>& values) {
  const auto count = static_cast<double>(defined(values));
  if (count < 2) return std::nullopt;
  const double mean = *mean_of(values);
  double squares = 0.0;
  for (const Value& value : values) {
    if (value) squares += (*value - mean) * (*value - mean);
  }
  return std::sqrt(squares / (count - 1.0) / count);
}

/// Macro mean over concepts; of scores of pictures also the mean over all pictures.
Json Tables::summary(const std::string& metric) const {
  const auto values = column(concepts_, metric);
  Json json{{"mean", score_json(mean_of(values))},
            {"se", score_json(standard_error(values))},
            {"n_concepts", defined(values)}};
  if (!images_.contains(metric)) return json;
  json["n_sets"] = defined(sets_.at(metric));
  json["n_images"] = defined(images_.at(metric));
  json["micro"] = score_json(mean_of(images_.at(metric)));
  return json;
}

Json Tables::finish() {
  Json& method = json_["method"] = Json::object();
  for (const auto& [metric, value] : concepts_.front()) method[metric] = summary(metric);
  if (!reduction_.overall.empty()) {
    const auto mean = [&](const std::string& name) { return mean_of(column(concepts_, name)); };
    method["overall"]["mean"] = score_json(overall_of(reduction_, mean));
    method["overall"]["se"] = nullptr;
  }
  Json& anchors = json_["anchors"]["method"] = Json::object();
  for (const auto& [metric, value] : anchors_.front()) anchors[metric] = score_json(mean_of(column(anchors_, metric)));
  return std::move(json_);
}

}  // namespace

Reduction Reduction::from_json(const Json& json, const std::string& where) {
  Reduction reduction;
  for (const auto& [name, rule] : json.items()) {
    if (name == "image" || name == "kept") continue;  // in words, for readers; what tables of studies show
    if (name == "overall") {
      reduction.overall = rule.get<std::vector<std::string>>();
    } else if (rule.is_object() && rule.contains("score") && rule.contains("over")) {
      reduction.derived[name] = {rule["score"].get<std::string>(), rule["over"] == "reconstruction"};
    } else {
      throw Error({.where = where + "." + name, .found = rule.dump(), .expected = "{score: …, over: …}"},
                  ErrorKind::usage);
    }
  }
  return reduction;
}

Json score_tables(const Protocol& protocol, const Reduction& reduction, const std::vector<ScoredConcept>& concepts,
                  bool pairs) {
  Tables tables(protocol, reduction, pairs);
  for (const ScoredConcept& subject : concepts) tables.add(subject);
  return tables.finish();
}

}  // namespace atelier::eval
