#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/scoring.h"

namespace atelier::eval {

/// What a table says about a picture beside its scores.
struct PictureFacts {
  std::optional<std::int64_t> seed;  ///< the N of `atelier sample --seed N`
  std::string sha256;                ///< of its file
};

struct SetFacts {
  std::string prompt;  ///< id
  std::string role;    ///< edit or reconstruction
  std::vector<PictureFacts> pictures;
};

struct ReferenceFacts {
  std::string name;
  std::string sha256;
};

/// Undefined numbers are null.
[[nodiscard]] Json score_json(const std::optional<double>& value);
[[nodiscard]] Json score_json(const NamedScores& scores);

/// The object of a score job, schema "atelier.scoretable/1": `images` with every pair score, `sets`, `anchors`,
/// `references`; undefined numbers are null. Pooled scores are a set of the prompt "". `facts` has one entry for each
/// set of `scores`.
[[nodiscard]] Json score_table(const Protocol& protocol, const Scores& scores, const std::vector<SetFacts>& facts,
                               const std::vector<ReferenceFacts>& references);

}  // namespace atelier::eval
