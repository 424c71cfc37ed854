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

/// The member, or null where there is none; lives as long as `json`.
const Json& member(const Json& json, const char* name) {
  static const Json null;
  return json.is_object() && json.contains(name) ? json.at(name) : null;
}

std::optional<std::int64_t> optional_integer(const Value& value) {
  return std::holds_alternative<std::monostate>(value) ? std::nullopt : std::optional(integer_of(value));
}

std::vector<Evaluation> evaluations_of(Index& index, const std::string& manifest, const Json& protocols) {
  std::vector<Evaluation> all;
  for (const auto& [name, settings] : protocols.items()) {
    const Json id = member(settings, "id");
    all.push_back({name, id.is_string() ? id.get<std::string>() : name, settings});
  }
  if (!all.empty()) return all;
  for (const auto& row :
       index.query("SELECT DISTINCT protocol FROM stage_output WHERE manifest = ? AND protocol IS NOT "
                   "NULL ORDER BY protocol",
                   {manifest})) {
    all.push_back({text_of(row[0]), text_of(row[0]), Json::object()});
  }
  return all;
}

/// "ti/edit" of the prompt "ti/edit/3".
std::set<std::string> lists_of(const Json& description) {
  std::set<std::string> lists;
  for (const Json& entry : member(description, "sets")) {
    const Json prompt = member(entry, "prompt");
    if (prompt.is_string()) lists.insert(prompt.get<std::string>().substr(0, prompt.get<std::string>().rfind('/')));
  }
  return lists;
}

std::set<std::string> lists_of(const Evaluation& evaluation) {
  std::set<std::string> lists;
  for (const Json& entry : member(member(evaluation.settings, "pictures"), "prompts")) {
    const Json list = member(entry, "list");
    if (list.is_string()) lists.insert(list.get<std::string>());
  }
  return lists;
}

/// Whether a published scoring was made as the evaluation says. Two evaluations may share a protocol, and the job tells
/// the protocol only.
bool fits(Index& index, const Evaluation& evaluation, const std::string& key, const Json& description) {
  Json scoring = member(description, "protocol");
  if (scoring.is_object()) scoring.erase("id");
  Json said = member(evaluation.settings, "scoring");
  if (said.is_object()) said.erase("id");
  if (!said.is_null() && scoring != said) return false;
  const Json encoders = member(evaluation.settings, "encoders");
  if (!encoders.is_null() && encoders != member(description, "encoders")) return false;
  if (const auto lists = lists_of(evaluation); !lists.empty() && lists != lists_of(description)) return false;
  const Json images = member(member(evaluation.settings, "pictures"), "images_per_prompt");
  const auto rows = index.query("SELECT count(*) FROM scored_image WHERE key = ? GROUP BY prompt", {key});
  return !images.is_number_integer() ||
         std::ranges::all_of(rows, [&](const Row& row) { return integer_of(row[0]) == images.get<std::int64_t>(); });
}

bool is_divergent(const Value& list) { return text_of(list).size() > 2; }  // "[]": not

class ScoreReader {
 public:
  ScoreReader(Index& index, StudyFacts& facts) : index_(index), facts_(facts) {
    for (std::size_t i = 0; i < facts.runs.size(); ++i) places_[facts.runs[i].id] = i;
    for (const auto& row :
         index.query("SELECT job FROM job_status WHERE manifest = ? AND status = 'failed'", {facts.manifest}))
      failed_.insert(integer_of(row[0]));
  }

  void read() {
    for (const auto& row : index_.query(
             "SELECT r.run, s.kind, s.job, o.key, o.protocol, a.object, a.divergent, CASE s.kind WHEN 'score' THEN "
             "a.description END FROM stage_run r JOIN stage s USING (manifest, job) JOIN stage_output o USING "
             "(manifest, job) LEFT JOIN artifact a ON a.key = o.key WHERE r.manifest = ? ORDER BY r.run, s.job, "
             "o.position",
             {facts_.manifest})) {
      const auto place = places_.find(text_of(row[0]));
      if (place != places_.end()) add(facts_.runs[place->second], row);
    }
  }

 private:
  void add(RunFacts& run, const Row& row) {
    const bool failed = failed_.contains(integer_of(row[2]));
    const bool divergent = is_divergent(row[6]);
    if (text_of(row[1]) != "score") {
      run.failed = run.failed || failed;
      run.divergent = run.divergent || divergent;
      return;
    }
    for (const auto* evaluation : evaluations(row)) {
      auto& scoring = run.scores[evaluation->name];
      scoring.failed = scoring.failed || failed;
      scoring.divergent = scoring.divergent || divergent;
      if (!text_of(row[5]).empty()) scoring.keys.push_back(text_of(row[3]));
    }
  }

  /// Those that the job serves; all of its protocol's while it is not published.
  const std::vector<const Evaluation*>& evaluations(const Row& row) {
    const auto [found, fresh] = served_.try_emplace(text_of(row[3]));
    if (!fresh) return found->second;
    const auto protocol = text_of(row[4]);
    for (const auto& each : facts_.evaluations) {
      if (each.id == protocol || each.name == protocol) found->second.push_back(&each);
    }
    if (found->second.size() < 2 || text_of(row[5]).empty()) return found->second;
    const Json description = json_of(row[7]);
    std::erase_if(found->second,
                  [&](const Evaluation* each) { return !fits(index_, *each, found->first, description); });
    return found->second;
  }

  Index& index_;       // borrowed
  StudyFacts& facts_;  // borrowed
  std::map<std::string, std::size_t> places_;
  std::set<std::int64_t> failed_;
  std::map<std::string, std::vector<const Evaluation*>> served_;  // by score key
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
