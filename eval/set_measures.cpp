#include "eval/set_measures.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "framework/core/error.h"
#include "framework/core/feature_distance.h"

namespace atelier::eval {
namespace {

constexpr std::size_t kBlock = 4;       // pictures whose LPIPS vectors are kept: VGG's have 128 MB at 512 pixels
constexpr std::int64_t kSubsets = 100;  // of KID
constexpr std::int64_t kLargestSubset = 1000;

using Values = std::vector<double>;

std::optional<double> average_of(const Values& values) {
  if (values.empty()) return std::nullopt;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::optional<double> difference(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b ? std::optional(*a - *b) : std::nullopt;
}

std::vector<Tensor> unit_rows_of(const PictureFeatures& features) {
  std::vector<Tensor> rows;
  for (std::size_t k = 0; k < features.status.size(); ++k) {
    if (features.ok(k)) rows.push_back(features.unit[static_cast<std::int64_t>(k)]);
  }
  return rows;
}

/// Squared Euclidean distance of two rows, in float64.
double distance(const PictureFeatures& a, std::size_t i, const PictureFeatures& b, std::size_t j) {
  const auto width = a.raw.size(1);
  const auto* x = a.raw.const_data_ptr<float>() + static_cast<std::int64_t>(i) * width;
  const auto* y = b.raw.const_data_ptr<float>() + static_cast<std::int64_t>(j) * width;
  double sum = 0.0;
  for (std::int64_t n = 0; n < width; ++n) {
    const double gap = static_cast<double>(x[n]) - static_cast<double>(y[n]);
    sum += gap * gap;
  }
  return sum;
}

/// A set of pictures in blocks.
std::vector<std::span<const Picture>> blocks_of(const std::vector<Picture>& pictures) {
  std::vector<std::span<const Picture>> blocks;
  const std::span all(pictures);
  for (std::size_t first = 0; first < pictures.size(); first += kBlock) {
    blocks.push_back(all.subspan(first, std::min(kBlock, pictures.size() - first)));
  }
  return blocks;
}

/// One encoder's measures.
class SetMeasurer {
 public:
  SetMeasurer(std::string role, const EncoderUse& use, const Encoder& encoder, const Protocol& protocol)
      : role_(std::move(role)), use_(use), encoder_(encoder), protocol_(protocol) {}

  void measure(const std::vector<PictureSet>& sets, Scores& scores) const;

 private:
  [[nodiscard]] bool wants(const char* measure) const { return use_.sets.contains(measure); }
  [[nodiscard]] PictureFeatures features(std::span<const Picture> pictures) const {
    return picture_features(encoder_, use_, protocol_, pictures, TiRole::generated);
  }
  void measure_distances(const PictureSet& set, NamedScores& scores) const;
  [[nodiscard]] std::optional<double> paired_distance(const PictureSet& set) const;
  [[nodiscard]] std::optional<double> mean_distance(const PictureSet& set) const;
  void measure_cosines(const ViewFeatures& own, std::size_t set, const PictureFeatures& beside,
                       SetScores& scores) const;
  [[nodiscard]] std::optional<double> text_mean(const PictureFeatures& features, const std::string& text) const;
  void pool(const ViewFeatures& own, const std::vector<PictureFeatures>& beside, PooledScores& pooled) const;

  std::string role_;
  const EncoderUse& use_;
  const Encoder& encoder_;
  const Protocol& protocol_;
};

void SetMeasurer::measure(const std::vector<PictureSet>& sets, Scores& scores) const {
  if (use_.measures_distance()) {
    for (std::size_t i = 0; i < sets.size(); ++i) measure_distances(sets[i], scores.sets[i].scores);
    return;
  }
  const ViewFeatures& own = scores.features.at(role_).at(View::full);
  std::vector<PictureFeatures> beside;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    beside.push_back(features(sets[i].beside));
    measure_cosines(own, i, beside.back(), scores.sets[i]);
  }
  if (wants("kid") || wants("fid")) pool(own, beside, scores.pooled);
}

void SetMeasurer::measure_distances(const PictureSet& set, NamedScores& scores) const {
  if (wants("paired")) scores[role_ + "_paired"] = paired_distance(set);
  if (wants("div")) scores[role_ + "_div"] = mean_distance(set);
}

std::optional<double> SetMeasurer::paired_distance(const PictureSet& set) const {
  Values values;
  const auto own = blocks_of(set.pictures), beside = blocks_of(set.beside);
  for (std::size_t block = 0; block < own.size(); ++block) {
    const PictureFeatures a = features(own[block]), b = features(beside[block]);
    for (std::size_t k = 0; k < own[block].size(); ++k) {
      if (a.ok(k) && b.ok(k)) values.push_back(distance(a, k, b, k));
    }
  }
  return average_of(values);
}

std::optional<double> SetMeasurer::mean_distance(const PictureSet& set) const {
  Values values;
  const auto blocks = blocks_of(set.pictures);
  for (std::size_t first = 0; first < blocks.size(); ++first) {
    const PictureFeatures a = features(blocks[first]);
    for (std::size_t second = first; second < blocks.size(); ++second) {
      const bool same = first == second;
      const PictureFeatures b = same ? a : features(blocks[second]);
      for (std::size_t i = 0; i < blocks[first].size(); ++i) {
        for (std::size_t j = same ? i + 1 : 0; j < blocks[second].size(); ++j) {
          if (a.ok(i) && b.ok(j)) values.push_back(distance(a, i, b, j));
        }
      }
    }
  }
  return average_of(values);
}

std::optional<double> mean_cosine(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  Values values;
  for (const Tensor& one : a) {
    for (const Tensor& other : b) values.push_back(dot_product(one, other));
  }
  return average_of(values);
}

std::optional<double> paired_cosine(const PictureFeatures& own, const PictureFeatures& beside) {
  Values values;
  for (std::size_t k = 0; k < own.status.size(); ++k) {
    const auto row = static_cast<std::int64_t>(k);
    if (own.ok(k) && beside.ok(k)) values.push_back(dot_product(own.unit[row], beside.unit[row]));
  }
  return average_of(values);
}

std::optional<double> mean_apart(const std::vector<Tensor>& rows) {
  Values values;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) values.push_back(1.0 - dot_product(rows[i], rows[j]));
  }
  return average_of(values);
}

std::optional<double> SetMeasurer::text_mean(const PictureFeatures& features, const std::string& text) const {
  return mean_cosine(unit_rows_of(features), {unit_rows(encoder_.text_features(text))});
}

void SetMeasurer::measure_cosines(const ViewFeatures& own, std::size_t set, const PictureFeatures& beside,
                                  SetScores& scores) const {
  const PictureFeatures& pictures = own.sets[set];
  if (wants("pres")) {
    const auto references = unit_rows_of(own.references);
    const auto pres = mean_cosine(unit_rows_of(pictures), references);
    scores.scores[role_ + "_pres"] = pres;
    if (protocol_.against_base) {
      scores.scores[role_ + "_pres_change"] = difference(pres, mean_cosine(unit_rows_of(beside), references));
    }
  }
  if (wants("paired")) scores.scores[role_ + "_paired"] = paired_cosine(pictures, beside);
  if (wants("change")) {
    scores.scores[role_ + "_t_change"] =
        difference(text_mean(pictures, scores.scoring_text), text_mean(beside, scores.scoring_text));
  }
  if (wants("div")) scores.scores[role_ + "_div"] = mean_apart(unit_rows_of(pictures));
}

/// Unnormalised rows of all that could be decoded.
FeatureRows rows_of(std::span<const PictureFeatures> sets, const std::string& role) {
  FeatureRows rows{.where = "encoder " + role, .rows = 0, .width = 0, .values = {}};
  for (const PictureFeatures& features : sets) {
    const Tensor raw = features.raw.contiguous();
    for (std::size_t k = 0; k < features.status.size(); ++k) {
      if (!features.ok(k)) continue;
      rows.width = raw.size(1);
      const auto* values = raw.const_data_ptr<float>() + static_cast<std::int64_t>(k) * rows.width;
      rows.values.insert(rows.values.end(), values, values + rows.width);
      ++rows.rows;
    }
  }
  return rows;
}

void SetMeasurer::pool(const ViewFeatures& own, const std::vector<PictureFeatures>& beside,
                       PooledScores& pooled) const {
  const FeatureRows pictures = rows_of(own.sets, role_);
  const FeatureRows others = rows_of(protocol_.against_base ? beside : std::vector{own.references}, role_);
  pooled.pictures = pictures.rows;
  pooled.others = others.rows;
  const bool some = pictures.rows > 0 && others.rows > 0;
  // Where every subset is everything, one is enough.
  const bool whole = pictures.rows == others.rows && pictures.rows <= kLargestSubset;
  if (wants("kid")) {
    const KidRequest request{.subsets = whole ? 0 : kSubsets};
    pooled.scores["kid"] = some ? kernel_distance(others, pictures, request) : std::nullopt;
  }
  if (wants("fid")) pooled.scores["fid"] = some ? frechet_distance(others, pictures) : std::nullopt;
}

void require_beside(const Protocol& protocol, const std::vector<PictureSet>& sets) {
  for (const PictureSet& set : sets) {
    if (!protocol.against_base || set.beside.size() == set.pictures.size()) continue;
    throw Error(
        {.where = fmt::format("protocol {}: {}", protocol.id, set.prompt),
         .found = fmt::format("{} pictures of the base model beside {}", set.beside.size(), set.pictures.size()),
         .expected = "one of the same seed for each"});
  }
}

}  // namespace

void add_set_measures(const Protocol& protocol, const Encoders& encoders, const std::vector<PictureSet>& sets,
                      Scores& scores) {
  require_beside(protocol, sets);
  for (const auto& [role, use] : protocol.encoders) {
    if (use.sets.empty()) continue;
    SetMeasurer(role, use, *encoders.at(role), protocol).measure(sets, scores);
  }
}

}  // namespace atelier::eval
