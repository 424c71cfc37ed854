#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "reports/score_file.h"

namespace atelier::reports {

/// {schema "atelier.summary/1", methods: [{name, metrics: {M: {mean, se, n_concepts, of pictures also n_sets, n_images,
/// micro}}}]}. `metrics` empty: every file's own. Throws Error for a metric that a file does not have.
[[nodiscard]] Json summarise(const std::vector<ScoreFile>& files, const std::vector<std::string>& metrics);

struct CompareRequest {
  std::vector<std::string> metrics = {};  ///< empty: all that every file has, in byte order
  std::string baseline = {};              ///< name; empty: all pairs, in the order of the files
  bool by_metric = false;                 ///< Holm's correction within each metric instead of over the whole call
  bool common = false;  ///< only the (concept, prompt) cells that both files have; else they must be the same
  std::map<std::string, double> margins = {};  ///< of equivalence, by metric
  std::int64_t draws = 10000;
  std::uint64_t seed = 0;
};

/// Paired comparisons over concepts (evaluation.md 8.3): {schema "atelier.compare/1", draws, seed, family, comparisons:
/// [{metric, a, b, n_concepts, mean_a, mean_b, diff, se, ci_low, ci_high, p, p_method, p_holm, equivalent}]}, with d =
/// a - b of the concepts in byte order. Throws Error for fewer than two files, names that are the same, an unknown
/// baseline or metric, and cells that differ.
[[nodiscard]] Json compare_scores(const std::vector<ScoreFile>& files, const CompareRequest& request);

}  // namespace atelier::reports
