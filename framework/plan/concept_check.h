#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/json.h"
#include "framework/plan/concept.h"

namespace atelier {

/// What was found of one concept. `faults` would stop a study; the rest is for its reader to judge.
struct ConceptCheck {
  std::string name;
  bool found = false;
  std::size_t photos = 0;
  std::optional<std::size_t> expected;  ///< of the published set
  std::string class_word;
  std::map<std::string, std::string> classes;  ///< by method, where it differs
  std::size_t masks = 0, class_images = 0;
  std::vector<std::string> faults;                                   ///< "03.jpg: …"
  std::vector<std::string> odd;                                      ///< names of files that are no photos
  std::vector<std::pair<std::string, std::string>> near_duplicates;  ///< photos that look the same
};

struct ConceptReport {
  std::filesystem::path root;
  std::string set;
  std::vector<ConceptCheck> concepts;
  [[nodiscard]] std::size_t missing() const;
  /// Whether a study over all of them could start.
  [[nodiscard]] bool good() const;
};

/// Looks at every concept of a set below `root`, or with set "" at every folder there. Every photo is decoded. Two
/// photos count as near-duplicates when their 8 × 8 difference hashes differ in at most 4 of 64 bits.
[[nodiscard]] ConceptReport check_concepts(const std::filesystem::path& root, const std::string& set,
                                           PhotoReader& reader, const std::filesystem::path& data = data_folder());
[[nodiscard]] Json to_json(const ConceptReport& report);
[[nodiscard]] std::string to_text(const ConceptReport& report);

}  // namespace atelier
