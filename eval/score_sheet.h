#pragma once

#include <map>
#include <string>
#include <vector>

#include "eval/scoring.h"

namespace atelier::eval {

/// What a score file says about a set of pictures beside its scores.
struct SheetSet {
  std::string prompt;  ///< id
  bool reconstruction = false, keeps_appearance = true;
  std::vector<std::string> files;  ///< of the pictures, below the folder of generated pictures
};

/// A concept, scored.
struct ScoredConcept {
  std::string name;
  std::vector<std::string> references;  ///< names
  std::vector<SheetSet> sets;
  Scores scores;  ///< with one entry for each of `sets`
};

/// How the scores of concepts are derived (a protocol's `reduction`).
struct Reduction {
  struct Derived {
    std::string score;
    bool reconstruction = false;  ///< over prompts of this role, else over edit prompts
  };
  std::map<std::string, Derived> derived;  ///< by name: reconstruction, editability
  std::vector<std::string> overall;        ///< two scores: `overall` is the root of their product; empty: none

  /// Throws Error naming the key.
  [[nodiscard]] static Reduction from_json(const Json& json, const std::string& where);
};

/// The tables of a score file, schema "atelier.scores/1": images, sets, concepts, method, anchors, and with `pairs` the
/// score of every picture with every reference. Undefined numbers are null and are left out of every mean.
[[nodiscard]] Json score_tables(const Protocol& protocol, const Reduction& reduction,
                                const std::vector<ScoredConcept>& concepts, bool pairs);

}  // namespace atelier::eval
