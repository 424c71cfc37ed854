#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "framework/store/index.h"

namespace atelier {

struct StatusCounts {
  std::int64_t done = 0, failed = 0, pending = 0;  ///< jobs
};
struct StudyInfo {
  std::string study, manifest, at;  ///< `manifest`: the one used last; `at`: when, "" if no spool tells
  std::int64_t runs = 0;
  StatusCounts jobs;
};
struct RunInfo {
  std::string run, method, concept_name, preset, label, row;  ///< `row`: JSON
  std::optional<std::int64_t> seed, checkpoint;
  StatusCounts jobs;
};
struct FailureInfo {
  std::string failure_class, error, attempt, at, kind;
  std::int64_t job = 0;
  std::vector<std::string> runs;
};
struct ArtifactInfo {
  std::int64_t job = 0;
  std::string kind, key, object, summary, prompt;  ///< `object` empty: not there yet
  std::vector<std::string> evaluations;            ///< that the pictures or scores are for, by name
  std::optional<std::int64_t> step;
  bool divergent = false;
  bool own = true;  ///< false: another checkpoint's, trained by a job that serves both
};
struct LogLine {
  std::string at, attempt, level, text;
};

[[nodiscard]] std::vector<StudyInfo> studies(Index& index);
/// The manifest that was used last for the study. Throws Error (usage) with the nearest name when there is none.
[[nodiscard]] std::string current_manifest(Index& index, const std::string& study);
[[nodiscard]] StatusCounts status_of_manifest(Index& index, const std::string& manifest);
[[nodiscard]] std::vector<RunInfo> runs_of(Index& index, const std::string& manifest);
/// The last attempt at each job that failed, by class.
[[nodiscard]] std::vector<FailureInfo> failures_of(Index& index, const std::string& manifest);
[[nodiscard]] std::vector<ArtifactInfo> artifacts_of(Index& index, const std::string& manifest, const std::string& run);
/// Attempts (their start, end, error) and events of the run's jobs, in time order.
[[nodiscard]] std::vector<LogLine> log_of(Index& index, const std::string& manifest, const std::string& run);

}  // namespace atelier
