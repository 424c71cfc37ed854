#pragma once

#include <filesystem>
#include <utility>
#include <vector>

#include "eval/score_sheet.h"

namespace atelier::eval {

/// `<role>.safetensors` for every encoder: `generated` and `references` [N, F] float32, not normalised, of foregrounds
/// `generated_masked` and `references_masked`; under the same names, as metadata, JSON arrays of the N files. Pictures
/// that could not be seen have no row.
class FeatureFiles {
 public:
  /// Writes all of them under other names. The folder is made where it is not there. Throws Error.
  FeatureFiles(const std::filesystem::path& folder, const Protocol& protocol,
               const std::vector<ScoredConcept>& concepts);
  /// Without commit() nothing is left, the folders that were made included.
  ~FeatureFiles();
  FeatureFiles(const FeatureFiles&) = delete;
  FeatureFiles& operator=(const FeatureFiles&) = delete;

  /// Gives the files their names, in the place of what has them. Throws Error.
  void commit();

 private:
  void clear() noexcept;

  std::vector<std::filesystem::path> made_;                                     // folders, the innermost first
  std::vector<std::pair<std::filesystem::path, std::filesystem::path>> files_;  // as they are, as they will be
};

}  // namespace atelier::eval
