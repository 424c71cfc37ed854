#include "reports/scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/store/evaluations.h"
#include "reports/statistics.h"
#include "reports/variance.h"

namespace atelier::reports {
namespace {

constexpr std::array<const char*, 6> kTraining{"seconds", "minutes",     "parameters",
                                               "bytes",   "peak_memory", "final_loss"};

constexpr double kSecondsPerMinute = 60.0;

/// What a metric's name stands for in the score tables.
struct Source {
  enum class Kind { image, text, set, share } kind = Kind::set;
  std::string name;             ///< encoder, or the set score; of a share the number that it is the mean of
  std::string role;             ///< of the prompts; empty: all
  std::string left_out = "[]";  ///< JSON: prompts
  double scale = 0;             ///< of texts: the score is scale · max(0, cosine) (CustomConcept101); 0: the cosine
};

Source source_of(const Evaluation& evaluation, std::string metric) {
  Source source;
  const bool derives = derives_scores(evaluation.id);
  if (derives && metric == "reconstruction") {
    source.role = metric;
    metric = "clip_i";
  } else if (derives && metric == "editability") {
    source.role = "edit";
    metric = evaluation.id == "ti_paper" ? "clip_t_paper" : "clip_t";
  }
  const auto without = [&](std::string_view suffix) { return metric.substr(0, metric.size() - suffix.size()); };
  source.name = metric;
  if (metric == "miss_rate" || metric == "foreground") {
    source.kind = Source::Kind::share;
    source.name = metric == "miss_rate" ? "(status <> 'ok') * 1.0" : "foreground";
  } else if (metric.ends_with("_t")) {
    source.kind = Source::Kind::text;
    source.name = without("_t");
    const Json scale = member_or_null(member_or_null(evaluation.settings, "scoring"), "text_scale");
    if (scale.is_number()) source.scale = scale.get<double>();
  } else if (metric.ends_with("_i_full")) {
    source.kind = Source::Kind::image;
    source.name = without("_i_full") + "_full";  // as the score tables name the encoder's second view
  } else if (metric.ends_with("_i") || metric.ends_with("_i_kept")) {
    source.kind = Source::Kind::image;
    source.name = metric.substr(0, metric.rfind("_i"));
    const auto changed = evaluation.settings.find("changes_appearance");
    if (metric.ends_with("_i_kept") && changed != evaluation.settings.end()) source.left_out = changed->dump();
  }
  return source;
}

[[noreturn]] void refuse(const std::string& name, const std::string& word, const std::vector<std::string>& known,
                         const std::string& before) {
  const auto near = nearest(word, known);
  throw Error({.where = "column " + name,
               .found = fmt::format("\"{}\"", word),
               .expected = known.empty() ? "something evaluated" : "one of " + join(known, ", ", 20),
               .advice = near.empty() ? "" : fmt::format("did you mean \"{}{}\"?", before, near)},
              ErrorKind::usage);
}

/// Scores of each prompt that has one, and how many pictures (or sets) have none.
struct PromptedScores {
  std::vector<PromptScores> prompts;
  std::int64_t dropped = 0;
};

/// Rows (number, mean, sum of squares) of the values that `sql` gives by prompt.
PromptedScores read_prompts(Index& index, const std::string& sql, const Row& parameters, std::int64_t expected) {
  PromptedScores scores{.prompts = {}, .dropped = expected};
  for (const auto& row : index.query(sql, parameters)) {
    scores.dropped -= integer_of(row[0]);
    if (integer_of(row[0]) == 0) continue;
    scores.prompts.push_back({integer_of(row[0]), std::get<double>(row[1]), std::get<double>(row[2])});
  }
  return scores;
}

PromptedScores scores_by_prompt(Index& index, const std::string& key, const Source& source) {
  const auto count = [&](const std::string& sql, const Row& parameters) {
    return integer_of(index.query(sql, parameters)[0][0]);
  };
  const std::string sums = "SELECT count(value), avg(value), total(value * value) FROM ";
  if (source.kind == Source::Kind::set) {
    const std::string chosen = " set_score WHERE key = ? AND name = ? AND (? = '' OR role = ?)";
    const Row parameters{key, source.name, source.role, source.role};
    return read_prompts(index, sums + chosen + " GROUP BY prompt ORDER BY prompt", parameters,
                        count("SELECT count(*) FROM" + chosen, parameters));
  }
  const std::string kept = " AND prompt NOT IN (SELECT value FROM json_each(?))";
  const auto expected = [&] {
    return count("SELECT count(*) FROM scored_image WHERE key = ? AND (? = '' OR role = ?)" + kept,
                 {key, source.role, source.role, source.left_out});
  };
  if (source.kind == Source::Kind::share) {
    const std::string shares = "(SELECT prompt, " + source.name + " AS value FROM scored_image WHERE key = ?)";
    return read_prompts(index, sums + shares + " GROUP BY prompt ORDER BY prompt", {key}, expected());
  }
  const std::string values =
      source.kind == Source::Kind::image
          ? "(SELECT prompt, avg(value) AS value FROM pair_score WHERE key = ? AND encoder = ? "
            "GROUP BY prompt, k)"
          : fmt::format("(SELECT prompt, {} AS value FROM text_score WHERE key = ? AND encoder = ?)",
                        source.scale > 0 ? fmt::format("{} * max(0.0, value)", source.scale) : "value");
  const std::string chosen =
      " WHERE (? = '' OR prompt IN (SELECT prompt FROM scored_image WHERE key = ? AND role = ?))" + kept;
  return read_prompts(index, sums + values + chosen + " GROUP BY prompt ORDER BY prompt",
                      {key, source.name, source.role, key, source.role, source.left_out}, expected());
}

std::optional<double> real_of(const Value& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  return {};
}

/// The artifact that the run's pictures were made with; until there are any, the only one of its last training job.
std::string artifact_of(Index& index, const StudyFacts& facts, const RunFacts& run) {
  const auto sampled = index.query(
      "SELECT DISTINCT json_extract(a.description, '$.artifact') FROM stage_run r JOIN stage s USING (manifest, job) "
      "JOIN "
      "stage_output o USING (manifest, job) JOIN artifact a ON a.key = o.key WHERE r.manifest = ? AND r.run = ? AND "
      "s.kind "
      "= 'sample'",
      {facts.manifest, run.id});
  if (sampled.size() == 1) return text_of(sampled[0][0]);
  const auto trained = index.query(
      "SELECT key FROM stage_output WHERE manifest = ? AND job = (SELECT max(s.job) FROM stage_run r JOIN stage s "
      "USING "
      "(manifest, job) WHERE r.manifest = ? AND r.run = ? AND s.kind = 'train')",
      {facts.manifest, facts.manifest, run.id});
  return trained.size() == 1 ? text_of(trained[0][0]) : "";
}

/// What all stages of a training needed.
struct StageCosts {
  double seconds = 0.0, peak_memory = 0.0;
};

/// Of the artifact and of every stage it was trained from; none where one of them does not tell `fact`.
std::optional<StageCosts> costs_of(Index& index, const std::string& artifact, const std::string& fact) {
  std::vector<std::string> open = {artifact};
  std::set<std::string> seen;
  StageCosts costs;
  while (!open.empty()) {
    const auto key = open.back();
    open.pop_back();
    if (!seen.insert(key).second) continue;
    const auto rows = index.query(
        "SELECT seconds, json_extract(summary, '$.peak_memory'), description FROM artifact WHERE key = ?", {key});
    if (rows.empty()) return {};
    const auto seconds = real_of(rows[0][0]), memory = real_of(rows[0][1]);
    if (!(fact == "peak_memory" ? memory : seconds)) return {};
    costs.seconds += seconds.value_or(0.0);
    costs.peak_memory = std::max(costs.peak_memory, memory.value_or(0.0));
    const Json description = parse_json(text_of(rows[0][2]), "the index");
    const Json inputs = description.value("inputs", Json::object());
    for (const auto& [name, input] : inputs.items()) {
      if (input.is_string()) open.push_back(input.get<std::string>());
    }
  }
  return costs;
}

}  // namespace

std::vector<Column> default_columns(const StudyFacts& facts) {
  std::vector<Column> columns;
  for (const auto& evaluation : facts.evaluations) {
    for (const auto& metric : main_scores(evaluation.id, evaluation.settings)) {
      columns.push_back({evaluation.name + "." + metric, &evaluation, metric});
    }
  }
  return columns;
}

std::vector<Column> cost_columns() {
  std::vector<Column> columns;
  for (const char* name : {"minutes", "peak_memory", "parameters", "bytes"}) columns.push_back({name, nullptr, name});
  return columns;
}

Column column_of(const StudyFacts& facts, const std::string& name) {
  if (std::ranges::count(kTraining, name) > 0) return {name, nullptr, name};
  const auto dot = name.rfind('.');
  const auto evaluation = std::ranges::find(facts.evaluations, name.substr(0, dot), &Evaluation::name);
  if (dot == std::string::npos || evaluation == facts.evaluations.end()) {
    std::vector<std::string> known(kTraining.begin(), kTraining.end());
    for (const auto& each : default_columns(facts)) known.push_back(each.name);
    refuse(name, name, known, "");
  }
  const auto metric = name.substr(dot + 1);
  const auto known = all_scores(evaluation->id, evaluation->settings);
  const bool told = evaluation->settings.contains("scoring");
  if (told && std::ranges::count(known, metric) == 0) refuse(name, metric, known, evaluation->name + ".");
  return {name, &*evaluation, metric};
}

std::vector<Column> parts_of(const Column& column) {
  std::vector<Column> parts;
  if (column.evaluation == nullptr || column.metric != "overall") return parts;
  for (const auto& metric : overall_parts(column.evaluation->settings)) {
    parts.push_back({column.evaluation->name + "." + metric, column.evaluation, metric});
  }
  return parts;
}

Score score_of(Index& index, const std::string& key, const Column& column) {
  const auto source = source_of(*column.evaluation, column.metric);
  const auto scores = scores_by_prompt(index, key, source);
  std::vector<double> means;
  for (const auto& prompt : scores.prompts) means.push_back(prompt.mean);
  return {.value = mean_of(means), .dropped = scores.dropped, .pictures = picture_variance(scores.prompts)};
}

std::optional<double> training_fact(Index& index, const StudyFacts& facts, const RunFacts& run,
                                    const std::string& name) {
  const auto artifact = artifact_of(index, facts, run);
  if (artifact.empty()) return {};
  if (name == "seconds" || name == "minutes" || name == "peak_memory") {
    const auto costs = costs_of(index, artifact, name);
    if (!costs) return {};
    if (name == "peak_memory") return costs->peak_memory;
    return name == "seconds" ? costs->seconds : costs->seconds / kSecondsPerMinute;
  }
  const auto rows = index.query("SELECT trained_parameters, bytes, final_loss FROM artifact WHERE key = ?", {artifact});
  if (rows.empty()) return {};
  if (name == "parameters") return real_of(rows[0][0]);
  return real_of(rows[0][name == "bytes" ? 1 : 2]);
}

std::optional<double> reference_score(Index& index, const std::string& key, const Column& column,
                                      const std::string& which) {
  if (column.evaluation == nullptr) return {};
  const auto source = source_of(*column.evaluation, column.metric);
  if (source.kind == Source::Kind::share) return {};
  if (source.kind == Source::Kind::set || (source.kind == Source::Kind::text && !source.role.empty())) return {};
  const bool full = source.kind == Source::Kind::image && source.name.ends_with("_full");
  const auto encoder = full ? source.name.substr(0, source.name.size() - 5) : source.name;
  const auto name = encoder + (source.kind == Source::Kind::text ? "_t" : (full ? "_i_full_" : "_i_") + which);
  const auto rows = index.query("SELECT value FROM anchor WHERE key = ? AND name = ?", {key, name});
  return rows.empty() ? std::nullopt : real_of(rows[0][0]);
}

}  // namespace atelier::reports
