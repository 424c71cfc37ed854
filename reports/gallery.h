#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "framework/store/index.h"
#include "reports/facts.h"
#include "reports/pictures.h"

namespace atelier::reports {

/// What a picture scored, by what scored it: "ti_code clip_i" -> 0.71. By run, prompt id and k.
class PictureScores {
 public:
  PictureScores(Index& index, const StudyFacts& facts);
  /// "ti_code: clip_i 0.7100, clip_t 0.2500", a line an evaluation; empty where nothing scored it.
  [[nodiscard]] std::string text(const std::string& run, const std::string& prompt, std::int64_t k) const;

 private:
  using Place = std::tuple<std::string, std::string, std::int64_t>;  // evaluation's key, prompt, k
  void read(Index& index, const std::string& key);

  std::map<Place, std::string> scores_;
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> keys_;  // evaluation, key; by run
};

struct GalleryOptions {
  int side = 96;              ///< longest side of a thumbnail in pixels
  std::int64_t pictures = 2;  ///< of each prompt
};

/// How many pictures the grids would hold with so many of each prompt.
[[nodiscard]] std::int64_t picture_count(const std::vector<ConceptGrid>& grids, std::int64_t pictures);

/// The grids as HTML: photos, then a table with a row for each run and a column for each prompt. Pictures are buttons
/// with thumbnails inside (JPEG as data: addresses); what a picture is, and what it scored, is its title.
[[nodiscard]] std::string gallery_html(const std::vector<ConceptGrid>& grids, PictureReader& reader,
                                       const PictureScores& scores, const GalleryOptions& options);

}  // namespace atelier::reports
