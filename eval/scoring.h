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
  std::vector<Picture> beside = {};  ///< of a protocol against the base model: its pictures of the same seeds
};

struct ImageScores {
  /// ok, decode_error (nothing is scored then), or no_foreground (what sees the foreground alone is not scored).
  std::string status = "ok";
  std::optional<double> foreground = {};  ///< with a mask: share of pixels
  /// Cosine with each reference, by encoder: "clip", and "clip_full" of whole pictures beside foregrounds.
  std::map<std::string, std::vector<double>> pairs;
  std::map<std::string, double> texts;  ///< by encoder: cosine with the text

  /// <role>_i, the mean over the references, <role>_i_full and <role>_t, which a protocol may scale.
  [[nodiscard]] NamedScores scores(const Protocol& protocol) const;
};

/// "clip" -> "clip_i", "clip_full" -> "clip_i_full".
[[nodiscard]] std::string pair_metric(const std::string& encoder);
/// Names of the scores of a picture, in byte order.
[[nodiscard]] std::vector<std::string> image_metrics(const Protocol& protocol);

struct SetScores {
  std::string scoring_text;
  std::vector<ImageScores> images;
  /// Means over the decoded images of <role>_i and <role>_t; gbar_norm = |mean unit vector|, and
  /// clip_t_paper = clip_t / gbar_norm (Gal et al. 2022: cosine of the mean vector; evaluation.md 1.4).
  NamedScores scores;
};

/// What one encoder made of one view of the pictures.
struct ViewFeatures {
  PictureFeatures references;
  std::vector<PictureFeatures> sets;  ///< in the order of the sets
};

/// What compares all pictures of a concept at once with as many others.
struct PooledScores {
  std::int64_t pictures = 0, others = 0;  ///< that could be decoded
  NamedScores scores;                     ///< kid, fid
};

struct Scores {
  std::vector<SetScores> sets;
  PooledScores pooled = {};
  /// References against themselves: <role>_i_all over all n² pairs, <role>_i_distinct without self pairs and without
  /// pairs of near-identical references, <role>_t with the scoring texts of all sets.
  NamedScores anchors;
  int size = 0;  ///< side that references were squashed to, where the front end does that
  /// By encoder: what was computed for the scores.
  std::map<std::string, std::map<View, ViewFeatures>> features;
};

using Encoders = std::map<std::string, std::unique_ptr<Encoder>>;

/// Pairs of indices of references that are near-identical.
using Duplicates = std::vector<std::pair<std::size_t, std::size_t>>;

/// Side of the first generated picture that can be decoded, where the protocol squashes references to it; else what the
/// protocol says.
[[nodiscard]] int reference_side(const Protocol& protocol, const std::vector<PictureSet>& sets);

/// Scores sets against references (evaluation.md 1.5: every generated picture with every reference). Throws Error for a
/// role without an encoder, no references, a reference that cannot be decoded or has no foreground, and a text that is
/// too long.
[[nodiscard]] Scores score(const Protocol& protocol, const Encoders& encoders, const std::vector<Picture>& references,
                           const std::vector<PictureSet>& sets, const Duplicates& duplicates = {});

}  // namespace atelier::eval
