#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/index.h"

namespace atelier::reports {

/// One `evaluate` entry of the study.
struct Evaluation {
  std::string name;  ///< in columns
  std::string id;    ///< the protocol's
  Json settings;     ///< as the manifest has them; empty: it tells nothing
};

/// What one run's scoring by one evaluation came to.
struct Scoring {
  std::vector<std::string> keys;  ///< published ones; more than one: the manifest does not tell them apart
  bool failed = false, divergent = false;
  bool stale = false;  ///< of pictures that were made anew since, with other bytes
};

struct RunFacts {
  std::string id, method, subject, preset, label;  ///< subject: the concept's name
  std::optional<std::int64_t> seed, checkpoint;
  Json options, row;                       ///< chosen options; what the sweep set, and the method
  std::map<std::string, Scoring> scores;   ///< by evaluation
  bool failed = false, divergent = false;  ///< in training or sampling
  [[nodiscard]] bool anchor() const { return method.starts_with("anchor:"); }
};

struct StudyFacts {
  std::string study, manifest;
  std::vector<Evaluation> evaluations;
  std::vector<RunFacts> runs;  ///< in the manifest's order
};

/// Throws Error (usage) when the index has no such manifest.
[[nodiscard]] StudyFacts read_facts(Index& index, const std::string& manifest);

}  // namespace atelier::reports
