#include "eval/scoring.h"

#include <ATen/ops/linalg_vector_norm.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "eval/set_measures.h"
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

/// The scale of a protocol's text scores (evaluation.md 2.3).
double text_score(const Protocol& protocol, double cosine) {
  return protocol.text_scale ? *protocol.text_scale * std::max(0.0, cosine) : cosine;
}

/// Which views of the pictures an encoder has to see.
std::vector<View> views_of(const EncoderUse& use, const Protocol& protocol) {
  std::vector<View> views;
  if (use.measures_distance()) return views;  // set_measures.cpp looks at a few pictures at a time
  if (!use.sets.empty() || use.text || use.image_full || (use.image && !protocol.masked)) views.push_back(View::full);
  if (use.image && protocol.masked) views.push_back(View::foreground);
  return views;
}

/// The views whose pairs are scored, with the keys of their pairs.
std::map<View, std::string> paired_views(const std::string& role, const EncoderUse& use, const Protocol& protocol) {
  std::map<View, std::string> views;
  if (use.image) views[protocol.masked ? View::foreground : View::full] = role;
  if (use.image_full && protocol.masked) views[View::full] = role + "_full";
  return views;
}

void require_references(const std::vector<Picture>& references, const PictureFeatures& features) {
  for (std::size_t i = 0; i < references.size(); ++i) {
    if (features.ok(i)) continue;
    if (features.status[i] == PictureStatus::no_foreground) {
      throw Error({.where = references[i].name,
                   .found = "a reference without foreground under its mask",
                   .expected = "at least one pixel that reaches the threshold",
                   .advice = "correct the mask, or lower threshold"});
    }
    throw Error({.where = references[i].name,
                 .found = "a reference that cannot be decoded",
                 .expected = "a whole PNG, JPEG or WebP file",
                 .advice = "replace the photo"});
  }
}

/// One encoder's part of the work.
class RoleScorer {
 public:
  RoleScorer(std::string role, const EncoderUse& use, const Encoder& encoder, const Protocol& protocol)
      : role_(std::move(role)), use_(use), encoder_(encoder), protocol_(protocol) {}

  [[nodiscard]] std::map<View, ViewFeatures> features(const std::vector<Picture>& references,
                                                      const std::vector<PictureSet>& sets) const;
  void score(const std::map<View, ViewFeatures>& features, std::size_t set, SetScores& scores) const;
  void anchors(const std::map<View, ViewFeatures>& features, const Duplicates& duplicates, NamedScores& anchors) const;
  void text_anchor(const std::map<View, ViewFeatures>& features, const std::vector<SetScores>& sets,
                   NamedScores& anchors) const;

 private:
  void add_pairs(const ViewFeatures& features, std::size_t set, const std::string& key, SetScores& scores) const;
  void add_texts(const PictureFeatures& pictures, SetScores& scores) const;
  void add_means(const PictureFeatures& features, SetScores& scores) const;

  std::string role_;
  const EncoderUse& use_;
  const Encoder& encoder_;
  const Protocol& protocol_;
};

std::map<View, ViewFeatures> RoleScorer::features(const std::vector<Picture>& references,
                                                  const std::vector<PictureSet>& sets) const {
  std::map<View, ViewFeatures> made;
  for (const View view : views_of(use_, protocol_)) {
    ViewFeatures& features = made[view];
    features.references = picture_features(encoder_, use_, protocol_, references, TiRole::reference, view);
    require_references(references, features.references);
    for (const PictureSet& set : sets) {
      features.sets.push_back(picture_features(encoder_, use_, protocol_, set.pictures, TiRole::generated, view));
    }
  }
  return made;
}

void RoleScorer::score(const std::map<View, ViewFeatures>& features, std::size_t set, SetScores& scores) const {
  for (const auto& [view, made] : features) {
    const PictureFeatures& pictures = made.sets[set];
    for (std::size_t k = 0; k < pictures.status.size(); ++k) {
      std::string& status = scores.images[k].status;
      if (pictures.status[k] == PictureStatus::decode_error) status = "decode_error";
      if (pictures.status[k] == PictureStatus::no_foreground && status == "ok") status = "no_foreground";
    }
  }
  for (const auto& [view, key] : paired_views(role_, use_, protocol_)) {
    add_pairs(features.at(view), set, key, scores);
  }
  if (use_.text) add_texts(features.at(View::full).sets[set], scores);
  if (!protocol_.set_scores.empty()) add_means(features.at(View::full).sets[set], scores);
}

void RoleScorer::add_pairs(const ViewFeatures& features, std::size_t set, const std::string& key,
                           SetScores& scores) const {
  const Tensor& references = features.references.unit;  // [R, F]
  for (std::size_t k = 0; k < scores.images.size(); ++k) {
    if (!features.sets[set].ok(k)) continue;
    const Tensor one = features.sets[set].unit[static_cast<std::int64_t>(k)];
    for (std::int64_t r = 0; r < references.size(0); ++r) {
      scores.images[k].pairs[key].push_back(dot_product(one, references[r]));
    }
  }
}

void RoleScorer::add_texts(const PictureFeatures& pictures, SetScores& scores) const {
  const Tensor text = unit_rows(encoder_.text_features(scores.scoring_text));
  for (std::size_t k = 0; k < scores.images.size(); ++k) {
    if (!pictures.ok(k)) continue;
    const Tensor one = pictures.unit[static_cast<std::int64_t>(k)];
    if (one.numel() != text.numel()) {
      throw Error(
          {.where = "encoder " + role_,
           .found = fmt::format("a vector of {} numbers for the text \"{}\"", text.numel(), scores.scoring_text),
           .expected = fmt::format("{}, as its vectors of pictures have", one.numel())});
    }
    scores.images[k].texts[role_] = dot_product(one, text);
  }
}

/// gbar_norm and what follows from it; the plain means are made for all roles at once.
void RoleScorer::add_means(const PictureFeatures& features, SetScores& scores) const {
  const auto decoded = std::ranges::count(features.status, PictureStatus::ok);
  if (decoded == 0) return;
  const Tensor mean = features.unit.sum(0) / static_cast<double>(decoded);  // [F]
  const double norm = at::linalg_vector_norm(mean).item<double>();
  const bool only = protocol_.encoders.size() == 1;
  if (protocol_.set_scores.contains("gbar_norm")) scores.scores[only ? "gbar_norm" : role_ + "_gbar_norm"] = norm;
  if (!protocol_.set_scores.contains("clip_t_paper") || !use_.text) return;
  std::vector<double> texts;
  for (const ImageScores& image : scores.images) {
    if (image.texts.contains(role_)) texts.push_back(image.texts.at(role_));
  }
  if (norm > 0) scores.scores[role_ + "_t_paper"] = *mean_of(texts) / norm;
}

void RoleScorer::anchors(const std::map<View, ViewFeatures>& features, const Duplicates& duplicates,
                         NamedScores& anchors) const {
  const auto same = [&](std::size_t a, std::size_t b) {
    return std::ranges::any_of(duplicates, [&](const auto& pair) {
      return (pair.first == a && pair.second == b) || (pair.first == b && pair.second == a);
    });
  };
  for (const auto& [view, key] : paired_views(role_, use_, protocol_)) {
    const Tensor& references = features.at(view).references.unit;
    std::vector<double> all, distinct;
    const auto count = static_cast<std::size_t>(references.size(0));
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = 0; b < count; ++b) {
        const auto row = static_cast<std::int64_t>(a), column = static_cast<std::int64_t>(b);
        const double cosine = dot_product(references[row], references[column]);
        all.push_back(cosine);
        if (a != b && !same(a, b)) distinct.push_back(cosine);
      }
    }
    anchors[pair_metric(key) + "_all"] = mean_of(all);
    anchors[pair_metric(key) + "_distinct"] = mean_of(distinct);
  }
}

void RoleScorer::text_anchor(const std::map<View, ViewFeatures>& features, const std::vector<SetScores>& sets,
                             NamedScores& anchors) const {
  if (!use_.text) return;
  const Tensor& references = features.at(View::full).references.unit;
  std::vector<double> scores;
  for (const SetScores& set : sets) {
    const Tensor text = unit_rows(encoder_.text_features(set.scoring_text));
    for (std::int64_t r = 0; r < references.size(0); ++r) {
      scores.push_back(text_score(protocol_, dot_product(references[r], text)));
    }
  }
  anchors[role_ + "_t"] = mean_of(scores);
}

/// Means of the image scores; every name that the protocol gives is there, undefined where no image is ok.
void add_set_means(const Protocol& protocol, SetScores& set) {
  std::map<std::string, std::vector<double>> values;
  for (const auto& name : image_metrics(protocol)) values[name];
  for (const ImageScores& image : set.images) {
    for (const auto& [name, value] : image.scores(protocol)) values[name].push_back(*value);
  }
  for (const auto& [name, list] : values) set.scores[name] = mean_of(list);
  for (const std::string& name : protocol.set_scores) set.scores.try_emplace(name);
}

void finish_images(const PictureSet& pictures, const Protocol& protocol, SetScores& set) {
  for (std::size_t k = 0; k < set.images.size(); ++k) {
    ImageScores& image = set.images[k];
    if (image.status == "decode_error") {  // of one of its two views, perhaps
      image.pairs.clear();
      image.texts.clear();
    }
    image.foreground = foreground_of(pictures.pictures[k], protocol.pictures);
  }
}

}  // namespace

std::string pair_metric(const std::string& encoder) {
  const std::string suffix = "_full";
  return encoder.ends_with(suffix) ? encoder.substr(0, encoder.size() - suffix.size()) + "_i_full" : encoder + "_i";
}

std::vector<std::string> image_metrics(const Protocol& protocol) {
  std::set<std::string> names;
  for (const auto& [role, use] : protocol.encoders) {
    for (const auto& [view, key] : paired_views(role, use, protocol)) names.insert(pair_metric(key));
    if (use.text) names.insert(role + "_t");
  }
  return {names.begin(), names.end()};
}

int reference_side(const Protocol& protocol, const std::vector<PictureSet>& sets) {
  if (!protocol.size_from_generated) return protocol.pictures.size;
  for (const PictureSet& set : sets) {
    if (const auto side = side_of_first(set.pictures, protocol.pictures.exif)) return *side;
  }
  return protocol.pictures.size;
}

NamedScores ImageScores::scores(const Protocol& protocol) const {
  NamedScores named;
  for (const auto& [encoder, cosines] : pairs) named[pair_metric(encoder)] = mean_of(cosines);
  for (const auto& [role, cosine] : texts) named[role + "_t"] = text_score(protocol, cosine);
  return named;
}

Scores score(const Protocol& protocol, const Encoders& encoders, const std::vector<Picture>& references,
             const std::vector<PictureSet>& sets, const Duplicates& duplicates) {
  if (references.empty()) {
    throw Error({.where = "protocol " + protocol.id, .found = "no references", .expected = "the concept's photos"});
  }
  Protocol resolved = protocol;
  resolved.pictures.size = reference_side(protocol, sets);
  Scores scores;
  scores.size = resolved.pictures.size;
  for (const PictureSet& set : sets) {
    SetScores& made = scores.sets.emplace_back();
    made.scoring_text = scoring_text(protocol.text_rule, set.text, set.class_word);
    made.images.resize(set.pictures.size());
  }
  for (const auto& [role, use] : resolved.encoders) {
    const RoleScorer scorer(role, use, encoder_for(encoders, role, protocol), resolved);
    auto& features = scores.features[role] = scorer.features(references, sets);
    for (std::size_t i = 0; i < sets.size(); ++i) scorer.score(features, i, scores.sets[i]);
    scorer.anchors(features, duplicates, scores.anchors);
    scorer.text_anchor(features, scores.sets, scores.anchors);
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    finish_images(sets[i], resolved, scores.sets[i]);
    add_set_means(resolved, scores.sets[i]);
  }
  add_set_measures(resolved, encoders, sets, scores);
  return scores;
}

}  // namespace atelier::eval
