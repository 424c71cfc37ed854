#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace atelier::reports {

/// Numbers by metric; nullopt: undefined there (null in the file).
using Metrics = std::map<std::string, std::optional<double>>;

/// (concept, prompt): what two files must have in common to be compared.
using ScoredCell = std::pair<std::string, std::string>;

struct ScoredImage {
  ScoredCell cell;
  std::int64_t k = 0;
  Metrics scores;
};

struct ScoredSet {
  ScoredCell cell;
  Metrics scores;
};

/// A file of scores, atelier's ("atelier.scores/1") or another program's: only `schema`, `name` and `images` are
/// required.
struct ScoreFile {
  std::string path, name;
  std::vector<ScoredImage> images;
  std::vector<ScoredSet> sets;
  std::map<std::string, Metrics> concepts;

  [[nodiscard]] std::set<ScoredCell> cells() const;
  [[nodiscard]] std::set<std::string> metrics() const;
};

/// Throws Error naming the file and the key for anything that is missing, of another type, or there twice.
[[nodiscard]] ScoreFile read_score_file(const std::filesystem::path& path);

/// A metric of one method, reduced to concepts (evaluation.md 8.2): mean over pictures of a prompt, then over prompts;
/// nulls are left out of every mean. Read from `images`, else `sets`, else `concepts`; `overall` always from
/// `concepts`.
struct ConceptScores {
  std::map<std::string, double> values;  ///< by concept, those that have one
  std::vector<double> images;            ///< every picture's own, where the metric is one of pictures
  std::int64_t sets = 0;                 ///< (concept, prompt) cells that have a value
  bool of_images = false;
};

/// `cells`: those that count; nullptr: all. Throws Error when the file has no such metric.
[[nodiscard]] ConceptScores concept_scores(const ScoreFile& file, const std::string& metric,
                                           const std::set<ScoredCell>* cells = nullptr);

}  // namespace atelier::reports
