#include "reports/facts.h"

#include <algorithm>
#include <set>

#include "framework/core/error.h"

namespace atelier::reports {
namespace {

Json json_of(const Value& value) {
  const auto text = text_of(value);
  return text.empty() ? Json::object() : parse_json(text, "the index");
}

std::optional<std::int64_t> optional_integer(const Value& value) {
  return std::holds_alternative<std::monostate>(value) ? std::nullopt : std::optional(integer_of(value));
}

std::vector<Evaluation> evaluations_of(Index& index, const std::string& manifest, const Json& protocols) {
  std::vector<Evaluation> all;
  for (const auto& [name, settings] : protocols.items()) {
    const Json id = member_or_null(settings, "id");
    all.push_back({name, id.is_string() ? id.get<std::string>() : name, settings});
  }
  if (!all.empty()) return all;
  for (const auto& row : index.query(
           "SELECT DISTINCT evaluation FROM stage_evaluation WHERE manifest = ? ORDER BY evaluation", {manifest})) {
    all.push_back({text_of(row[0]), text_of(row[0]), Json::object()});
  }
  return all;
}

bool is_divergent(const Value& list) { return text_of(list).size() > 2; }  // "[]": not

/// Scores of pictures whose archive was another one when they were scored: it was removed, and made anew later with
/// other bytes.
std::set<std::string> stale_scores(Index& index) {
  constexpr const char* kRemade = "SELECT key FROM published GROUP BY key HAVING count(DISTINCT object) > 1";
  if (index.query(std::string(kRemade) + " LIMIT 1").empty()) return {};
  std::set<std::string> keys;
  for (const auto& row : index.query(
           "WITH made AS (SELECT key, object, min(printf('%s %012d', at, n)) AS at FROM published GROUP BY key, "
           "object), remade AS (SELECT "
           "a.key AS key, n.at AS made, min(o.at) AS before FROM artifact a JOIN made n USING (key, object) JOIN made "
           "o ON o.key = a.key AND o.object <> a.object WHERE a.key IN (" +
           std::string(kRemade) +
           ") GROUP BY a.key) SELECT DISTINCT s.key FROM artifact s JOIN made m USING (key, object), "
           "json_each(s.description, '$.sets') e JOIN remade r ON r.key IN (json_extract(e.value, '$.images'), "
           "json_extract(e.value, '$.beside')) WHERE "
           "s.kind = 'score' AND r.before <= m.at AND m.at < r.made")) {
    keys.insert(text_of(row[0]));
  }
  return keys;
}

class ScoreReader {
 public:
  ScoreReader(Index& index, StudyFacts& facts) : index_(index), facts_(facts) {
    for (std::size_t i = 0; i < facts.runs.size(); ++i) places_[facts.runs[i].id] = i;
    for (const auto& row :
         index.query("SELECT job FROM job_status WHERE manifest = ? AND status = 'failed'", {facts.manifest}))
      failed_.insert(integer_of(row[0]));
  }

  void read() {
    stale_ = stale_scores(index_);
    for (const auto& row :
         index_.query("SELECT job, key, evaluation FROM stage_evaluation WHERE manifest = ?", {facts_.manifest})) {
      served_[{integer_of(row[0]), text_of(row[1])}].push_back(text_of(row[2]));
    }
    for (const auto& row : index_.query(
             "SELECT r.run, s.kind, s.job, o.key, a.object, a.divergent FROM stage_run r JOIN stage s USING (manifest, "
             "job) JOIN stage_output o USING (manifest, job) LEFT JOIN artifact a ON a.key = o.key WHERE r.manifest = "
             "? ORDER BY r.run, s.job, o.position",
             {facts_.manifest})) {
      const auto place = places_.find(text_of(row[0]));
      if (place != places_.end()) add(facts_.runs[place->second], row);
    }
  }

 private:
  void add(RunFacts& run, const Row& row) {
    const bool failed = failed_.contains(integer_of(row[2]));
    const bool divergent = is_divergent(row[5]);
    if (text_of(row[1]) != "score") {
      run.failed = run.failed || failed;
      run.divergent = run.divergent || divergent;
      return;
    }
    for (const auto& name : served_[{integer_of(row[2]), text_of(row[3])}]) {
      auto& scoring = run.scores[name];
      scoring.failed = scoring.failed || failed;
      scoring.divergent = scoring.divergent || divergent;
      if (text_of(row[4]).empty()) continue;
      scoring.keys.push_back(text_of(row[3]));
      scoring.stale = scoring.stale || stale_.contains(text_of(row[3]));
    }
  }

  Index& index_;       // borrowed
  StudyFacts& facts_;  // borrowed
  std::map<std::string, std::size_t> places_;
  std::set<std::int64_t> failed_;
  std::set<std::string> stale_;
  std::map<std::pair<std::int64_t, std::string>, std::vector<std::string>> served_;  // evaluations by job and key
};

}  // namespace

StudyFacts read_facts(Index& index, const std::string& manifest) {
  const auto studies = index.query("SELECT study, protocols FROM study WHERE manifest = ?", {manifest});
  if (studies.empty()) {
    throw Error({.where = "manifest",
                 .found = "\"" + manifest + "\" is not in this store",
                 .expected = "the digest of a study that was run"},
                ErrorKind::usage);
  }
  StudyFacts facts;
  facts.study = text_of(studies[0][0]);
  facts.manifest = manifest;
  facts.evaluations = evaluations_of(index, manifest, json_of(studies[0][1]));
  for (const auto& row :
       index.query("SELECT run, method, concept, preset, label, seed, checkpoint, options, row FROM run "
                   "WHERE manifest = ? ORDER BY position",
                   {manifest})) {
    RunFacts run;
    run.id = text_of(row[0]);
    run.method = text_of(row[1]);
    run.subject = text_of(row[2]);
    run.preset = text_of(row[3]);
    run.label = text_of(row[4]);
    run.seed = optional_integer(row[5]);
    run.checkpoint = optional_integer(row[6]);
    run.options = json_of(row[7]);
    run.row = json_of(row[8]);
    facts.runs.push_back(std::move(run));
  }
  ScoreReader(index, facts).read();
  return facts;
}

}  // namespace atelier::reports
