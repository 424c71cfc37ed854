#include "eval/scoring.h"

#include <ATen/ops/linalg_vector_norm.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "framework/core/error.h"

namespace atelier::eval {
namespace {

std::optional<double> mean_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

const Encoder& encoder_for(const Encoders& encoders, const std::string& role, const Protocol& protocol) {
  const auto found = encoders.find(role);
  if (found != encoders.end() && found->second != nullptr) return *found->second;
  throw Error({.where = "protocol " + protocol.id,
               .found = "no encoder " + role,
               .expected = "a folder for every encoder of the protocol",
               .advice = "name one"},
              ErrorKind::usage);
}

/// One encoder's part of the work.
class RoleScorer {
 public:
  RoleScorer(std::string role, const EncoderUse& use, const Encoder& encoder, const Protocol& protocol)
      : role_(std::move(role)), use_(use), encoder_(encoder), protocol_(protocol) {}

  void set_references(const std::vector<Picture>& references);
  void score(const PictureSet& set, SetScores& scores) const;
  void anchors(const Duplicates& duplicates, NamedScores& anchors) const;
  void text_anchor(const std::vector<SetScores>& sets, NamedScores& anchors) const;

 private:
  void add_means(const PictureFeatures& features, SetScores& scores) const;

  std::string role_;
  const EncoderUse& use_;
  const Encoder& encoder_;
  const Protocol& protocol_;
  Tensor references_;  // [R, F] float64, length 1
};

void RoleScorer::set_references(const std::vector<Picture>& references) {
  if (!use_.image) return;
  const auto features = picture_features(encoder_, use_, protocol_, references, TiRole::reference);
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (features.decoded[i]) continue;
    throw Error({.where = references[i].name,
                 .found = "a reference that cannot be decoded",
                 .expected = "a whole PNG, JPEG or WebP file",
                 .advice = "replace the photo"});
  }
  references_ = features.unit;
}

void RoleScorer::score(const PictureSet& set, SetScores& scores) const {
  const auto features = picture_features(encoder_, use_, protocol_, set.pictures, TiRole::generated);
  const auto rows = static_cast<std::int64_t>(set.pictures.size());
  const bool any = std::ranges::find(features.decoded, true) != features.decoded.end();
  const Tensor text = use_.text ? unit_rows(encoder_.text_features(scores.scoring_text)) : Tensor();
  for (std::int64_t k = 0; k < rows; ++k) {
    ImageScores& image = scores.images[static_cast<std::size_t>(k)];
    if (!features.decoded[static_cast<std::size_t>(k)]) {
      image.status = "decode_error";
      continue;
    }
    const Tensor one = features.unit[k];
    if (use_.text) image.texts[role_] = dot_product(one, text);
    if (!use_.image) continue;
    for (std::int64_t r = 0; r < references_.size(0); ++r) {
      image.pairs[role_].push_back(dot_product(one, references_[r]));
    }
  }
  if (any) add_means(features, scores);
}

/// gbar_norm and what follows from it; the plain means are made for all roles at once.
void RoleScorer::add_means(const PictureFeatures& features, SetScores& scores) const {
  if (protocol_.set_scores.empty()) return;
  const auto decoded = std::ranges::count(features.decoded, true);
  const Tensor mean = features.unit.sum(0) / static_cast<double>(decoded);  // [F]
  const double norm = at::linalg_vector_norm(mean).item<double>();
  const bool only = protocol_.encoders.size() == 1;
  if (protocol_.set_scores.contains("gbar_norm")) scores.scores[only ? "gbar_norm" : role_ + "_gbar_norm"] = norm;
  if (!protocol_.set_scores.contains("clip_t_paper") || !use_.text) return;
  std::vector<double> texts;
  for (const ImageScores& image : scores.images) {
    if (image.status == "ok") texts.push_back(image.texts.at(role_));
  }
  if (norm > 0) scores.scores[role_ + "_t_paper"] = *mean_of(texts) / norm;
}

void RoleScorer::anchors(const Duplicates& duplicates, NamedScores& anchors) const {
  if (!use_.image) return;
  const auto same = [&](std::size_t a, std::size_t b) {
    return std::ranges::any_of(duplicates, [&](const auto& pair) {
      return (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a);
    });
  };
  std::vector<double> all, distinct;
  const auto count = static_cast<std::size_t>(references_.size(0));
  for (std::size_t a = 0; a < count; ++a) {
    for (std::size_t b = 0; b < count; ++b) {
      const auto row = static_cast<std::int64_t>(a), column = static_cast<std::int64_t>(b);
      const double cosine = dot_product(references_[row], references_[column]);
      all.push_back(cosine);
      if (a != b && !same(a, b)) distinct.push_back(cosine);
    }
  }
  anchors[role_ + "_i_all"] = mean_of(all);
  anchors[role_ + "_i_distinct"] = mean_of(distinct);
}

void RoleScorer::text_anchor(const std::vector<SetScores>& sets, NamedScores& anchors) const {
  if (!use_.image || !use_.text) return;
  std::vector<double> cosines;
  for (const SetScores& set : sets) {
    const Tensor text = unit_rows(encoder_.text_features(set.scoring_text));
    for (std::int64_t r = 0; r < references_.size(0); ++r) {
      cosines.push_back(dot_product(references_[r], text));
    }
  }
  anchors[role_ + "_t"] = mean_of(cosines);
}

/// Means of the image scores; every name that the protocol gives is there, undefined where no image is ok.
void add_set_means(const Protocol& protocol, SetScores& set) {
  std::map<std::string, std::vector<double>> values;
  for (const auto& [role, use] : protocol.encoders) {
    if (use.image) values[role + "_i"];
    if (use.text) values[role + "_t"];
  }
  for (const ImageScores& image : set.images) {
    for (const auto& [name, value] : image.scores()) values[name].push_back(*value);
  }
  for (const auto& [name, list] : values) set.scores[name] = mean_of(list);
  for (const std::string& name : protocol.set_scores) set.scores.try_emplace(name);
}

/// Of the first generated picture that can be decoded.
std::optional<int> generated_side(const std::vector<PictureSet>& sets, ExifRule exif) {
  for (const PictureSet& set : sets) {
    if (const auto side = side_of_first(set.pictures, exif)) return side;
  }
  return std::nullopt;
}

}  // namespace

NamedScores ImageScores::scores() const {
  NamedScores named;
  for (const auto& [role, cosines] : pairs) named[role + "_i"] = mean_of(cosines);
  for (const auto& [role, cosine] : texts) named[role + "_t"] = cosine;
  return named;
}

Scores score(const Protocol& protocol, const Encoders& encoders, const std::vector<Picture>& references,
             const std::vector<PictureSet>& sets, const Duplicates& duplicates) {
  if (references.empty()) {
    throw Error({.where = "protocol " + protocol.id, .found = "no references", .expected = "the concept's photos"});
  }
  Protocol resolved = protocol;
  if (protocol.size_from_generated) {
    resolved.pictures.size = generated_side(sets, protocol.pictures.exif).value_or(protocol.pictures.size);
  }
  Scores scores;
  scores.size = resolved.pictures.size;
  for (const PictureSet& set : sets) {
    SetScores& made = scores.sets.emplace_back();
    made.scoring_text = scoring_text(protocol.text_rule, set.text, set.class_word);
    made.images.resize(set.pictures.size());
  }
  for (const auto& [role, use] : resolved.encoders) {
    RoleScorer scorer(role, use, encoder_for(encoders, role, protocol), resolved);
    scorer.set_references(references);
    for (std::size_t i = 0; i < sets.size(); ++i) scorer.score(sets[i], scores.sets[i]);
    scorer.anchors(duplicates, scores.anchors);
    scorer.text_anchor(scores.sets, scores.anchors);
  }
  for (SetScores& set : scores.sets) add_set_means(resolved, set);
  return scores;
}

}  // namespace atelier::eval
