#include "framework/store/queries.h"

#include <fmt/format.h>

#include <map>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {
namespace {

void count(StatusCounts& counts, const std::string& status, std::int64_t number) {
  if (status == "done") counts.done += number;
  if (status == "failed") counts.failed += number;
  if (status == "pending") counts.pending += number;
}

std::optional<std::int64_t> optional_integer(const Value& value) {
  return std::holds_alternative<std::monostate>(value) ? std::nullopt : std::optional(integer_of(value));
}

std::map<std::string, StatusCounts> counts_of_runs(Index& index, const std::string& manifest) {
  std::map<std::string, StatusCounts> counts;
  for (const auto& row :
       index.query("SELECT r.run, s.status, count(*) FROM stage_run r JOIN job_status s USING (manifest, job)"
                   " WHERE r.manifest = ? GROUP BY 1, 2",
                   {manifest})) {
    count(counts[text_of(row[0])], text_of(row[1]), integer_of(row[2]));
  }
  return counts;
}

// The manifest used last; where no spool tells, the one whose digest is greatest.
constexpr const char* kStudies =
    "SELECT study, manifest, coalesce((SELECT max(at) FROM study_use u WHERE u.manifest = s.manifest), '') AS used,"
    " (SELECT count(*) FROM run r WHERE r.manifest = s.manifest) FROM study s ORDER BY study, used DESC, manifest DESC";

}  // namespace

std::vector<StudyInfo> studies(Index& index) {
  std::vector<StudyInfo> all;
  for (const auto& row : index.query(kStudies)) {
    if (!all.empty() && all.back().study == text_of(row[0])) continue;
    all.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), integer_of(row[3]), {}});
    all.back().jobs = status_of_manifest(index, all.back().manifest);
  }
  return all;
}

std::string current_manifest(Index& index, const std::string& study) {
  std::vector<std::string> names;
  for (const auto& row : index.query(kStudies)) {
    if (text_of(row[0]) == study) return text_of(row[1]);
    if (names.empty() || names.back() != text_of(row[0])) names.push_back(text_of(row[0]));
  }
  const auto near = nearest(study, names);
  throw Error({.where = "study",
               .found = fmt::format("\"{}\" is not in this store", study),
               .expected = names.empty() ? "a study that was run" : join(names, ", ", 10),
               .advice = near.empty() ? "run it first, or name its store with --store"
                                      : fmt::format("did you mean \"{}\"?", near)},
              ErrorKind::usage);
}

StatusCounts status_of_manifest(Index& index, const std::string& manifest) {
  StatusCounts counts;
  for (const auto& row :
       index.query("SELECT status, count(*) FROM job_status WHERE manifest = ? GROUP BY 1", {manifest})) {
    count(counts, text_of(row[0]), integer_of(row[1]));
  }
  return counts;
}

std::vector<RunInfo> runs_of(Index& index, const std::string& manifest) {
  const auto counts = counts_of_runs(index, manifest);
  std::vector<RunInfo> runs;
  for (const auto& row :
       index.query("SELECT run, method, concept, preset, label, row, seed, checkpoint FROM run WHERE manifest = ?"
                   " ORDER BY position",
                   {manifest})) {
    runs.push_back({text_of(row[0]),
                    text_of(row[1]),
                    text_of(row[2]),
                    text_of(row[3]),
                    text_of(row[4]),
                    text_of(row[5]),
                    optional_integer(row[6]),
                    optional_integer(row[7]),
                    {}});
    if (const auto found = counts.find(runs.back().run); found != counts.end()) runs.back().jobs = found->second;
  }
  return runs;
}

std::vector<FailureInfo> failures_of(Index& index, const std::string& manifest) {
  std::vector<FailureInfo> failures;
  for (const auto& row :
       index.query("SELECT DISTINCT coalesce(e.class, ''), coalesce(e.error, ''), e.attempt, e.at, s.kind, s.job FROM "
                   "job_status s"
                   " JOIN stage_output o USING (manifest, job) JOIN last_attempt l ON l.key = o.key JOIN last_end e ON "
                   "e.attempt = l.attempt"
                   " WHERE s.manifest = ? AND s.status = 'failed' AND e.status = 'failed' ORDER BY 1, 6, 3",
                   {manifest})) {
    failures.push_back(
        {text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4]), integer_of(row[5]), {}});
    for (const auto& run :
         index.query("SELECT run FROM stage_run WHERE manifest = ? AND job = ? ORDER BY run", {manifest, row[5]})) {
      failures.back().runs.push_back(text_of(run[0]));
    }
  }
  return failures;
}

std::vector<ArtifactInfo> artifacts_of(Index& index, const std::string& manifest, const std::string& run) {
  // A manifest of an earlier version tells no run's own artifacts: all of its jobs' count.
  constexpr const char* kArtifacts =
      "SELECT s.job, s.kind, o.key, a.object, a.summary, o.prompt, o.step, a.divergent,"
      " s.kind <> 'train' OR EXISTS (SELECT 1 FROM run_artifact u WHERE u.manifest = r.manifest AND u.run = r.run AND"
      " u.key = o.key) OR NOT EXISTS (SELECT 1 FROM run_artifact u WHERE u.manifest = r.manifest AND u.run = r.run)"
      " FROM stage_run r JOIN stage s USING (manifest, job) JOIN stage_output o USING (manifest, job)"
      " LEFT JOIN artifact a ON a.key = o.key WHERE r.manifest = ? AND r.run = ? ORDER BY s.job, o.position";
  std::vector<ArtifactInfo> artifacts;
  for (const auto& row : index.query(kArtifacts, {manifest, run})) {
    artifacts.push_back({.job = integer_of(row[0]),
                         .kind = text_of(row[1]),
                         .key = text_of(row[2]),
                         .object = text_of(row[3]),
                         .summary = text_of(row[4]),
                         .prompt = text_of(row[5]),
                         .evaluations = {},
                         .step = optional_integer(row[6]),
                         .divergent = text_of(row[7]).size() > 2,
                         .own = integer_of(row[8]) != 0});
    for (const auto& name : index.query(
             "SELECT evaluation FROM stage_evaluation WHERE manifest = ? AND job = ? AND key = ? ORDER BY evaluation",
             {manifest, row[0], row[2]})) {
      artifacts.back().evaluations.push_back(text_of(name[0]));
    }
  }
  return artifacts;
}

std::vector<LogLine> log_of(Index& index, const std::string& manifest, const std::string& run) {
  constexpr const char* kLog =
      "WITH mine AS (SELECT DISTINCT k.attempt FROM stage_run r JOIN stage_output o USING (manifest, job)"
      " JOIN attempt_key k ON k.key = o.key WHERE r.manifest = ? AND r.run = ?)"
      " SELECT at, attempt, 'info' AS level, 'started ' || coalesce(kind, '') || ' on ' || coalesce(host, '') || ' ' ||"
      " coalesce(device, '') AS text, -1 AS n FROM attempt JOIN mine USING (attempt)"
      " UNION ALL SELECT at, attempt, coalesce(level, type), text, n FROM event JOIN mine USING (attempt)"
      " UNION ALL SELECT at, attempt, CASE status WHEN 'failed' THEN 'error' ELSE 'info' END,"
      " status || coalesce(' (' || nullif(class, '') || ')', '') || coalesce(': ' || error, ''), n FROM attempt_end "
      "JOIN mine USING (attempt)"
      " ORDER BY 1, 2, 5";
  std::vector<LogLine> lines;
  for (const auto& row : index.query(kLog, {manifest, run})) {
    lines.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3])});
  }
  return lines;
}

}  // namespace atelier
