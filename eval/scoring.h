#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "eval/encoder.h"
#include "eval/features.h"
#include "eval/protocol.h"

namespace atelier::eval {

/// Undefined values (a mean of nothing) are nullopt, never NaN.
using NamedScores = std::map<std::string, std::optional<double>>;

/// The pictures of one prompt.
struct PictureSet {
  std::string prompt;      ///< id
  std::string text;        ///< with `{}` for the concept
  std::string class_word;  ///< for TextRule::class_word
  std::vector<Picture> pictures;
};

struct ImageScores {
  std::string status = "ok";                         ///< or decode_error: nothing is scored then
  std::map<std::string, std::vector<double>> pairs;  ///< by encoder: cosine with each reference
  std::map<std::string, double> texts;               ///< by encoder: cosine with the scoring text

  /// <role>_i, the mean over the references, and <role>_t.
  [[nodiscard]] NamedScores scores() const;
};

struct SetScores {
  std::string scoring_text;
  std::vector<ImageScores> images;
  /// Means over the decoded images of <role>_i and <role>_t; gbar_norm = |mean unit vector|, and
  /// clip_t_paper = clip_t / gbar_norm (Gal et al. 2022: cosine of the mean vector; evaluation.md 1.4).
  NamedScores scores;
};

struct Scores {
  std::vector<SetScores> sets;
  /// References against themselves: <role>_i_all over all n² pairs, <role>_i_distinct without self pairs and without
  /// pairs of near-identical references, <role>_t with the scoring texts of all sets.
  NamedScores anchors;
  int size = 0;  ///< side that references were squashed to, where the front end does that
};

using Encoders = std::map<std::string, std::unique_ptr<Encoder>>;

/// Pairs of indices of references that are near-identical.
using Duplicates = std::vector<std::pair<std::size_t, std::size_t>>;

/// Scores sets against references (evaluation.md 1.5: every generated picture with every reference). Throws Error for a
/// role without an encoder, no references, a reference that cannot be decoded, and a text that is too long.
[[nodiscard]] Scores score(const Protocol& protocol, const Encoders& encoders, const std::vector<Picture>& references,
                           const std::vector<PictureSet>& sets, const Duplicates& duplicates = {});

}  // namespace atelier::eval
