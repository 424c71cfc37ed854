#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier {

/// Jobs with something to make: the positions of these outputs. An output is made that is not published, and one that
/// was released (store/release.h) when another that is made needs its object.
using WorkToDo = std::map<std::int64_t, std::vector<std::size_t>>;
[[nodiscard]] WorkToDo work_to_do(const Json& manifest, const Store& store);

/// What `keep:` of a study lets go. Of an artifact whose scores are all there it needs the object no more:
/// - all: every object stays;
/// - small: what was trained or merged and takes more than 50 MB goes (full UNets, not LoRAs and words);
/// - until_scored: that and pictures, masks and images of classes go.
/// Scores, losses, other programs' pictures and what nothing is scored of always stay.
class KeepPolicy {
 public:
  /// `keep` instead of the manifest's where it is not "".
  explicit KeepPolicy(const Json& manifest, const std::string& keep = {});

  /// Whether the policy ever removes anything.
  [[nodiscard]] bool releases() const { return keep_ != "all"; }
  /// Whether the study still needs the object of a key: false for what it does not name.
  [[nodiscard]] bool needs(const std::string& key, const Store& store) const;
  /// What may go some day, by what it may be: all such keys.
  [[nodiscard]] std::set<std::string> transient() const;
  /// Of these, what a score was made from.
  [[nodiscard]] std::set<std::string> behind(const std::string& score) const;
  /// Whether an artifact of this kind and size goes when it is scored.
  [[nodiscard]] bool lets_go(const std::string& kind, std::uintmax_t bytes) const;

 private:
  struct Artifact {
    std::string kind;
    std::vector<std::string> scores;    ///< that are made from it, directly or not
    mutable std::size_t published = 0;  ///< so many of the first are there: they never go
  };

  void add_scores();

  std::string keep_;
  std::map<std::string, Artifact> artifacts_;
  std::map<std::string, std::vector<std::string>> inputs_;  // of each key, those of the manifest
};

}  // namespace atelier
