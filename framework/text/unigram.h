#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "framework/text/charsmap.h"
#include "framework/text/sentencepiece_model.h"

namespace atelier {

/// Splits texts as SentencePiece's unigram model does: characters replaced by the table, blanks as U+2581, then the
/// segmentation of largest probability; characters of no piece are unknown, and neighbours among them one token.
class Unigram {
 public:
  /// Throws Error for a model without pieces or with a damaged table.
  explicit Unigram(SentencePieceModel model);
  Unigram(Unigram&&) = default;  // a copy's views would lead into the original
  Unigram& operator=(Unigram&&) = default;

  /// Ids of the text, which must be UTF-8.
  [[nodiscard]] std::vector<std::int64_t> encode(std::string_view text) const;
  /// The id of a piece, control pieces among them; the unknown id where there is none.
  [[nodiscard]] std::int64_t id_of(std::string_view piece) const;

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(model_.pieces.size()); }
  [[nodiscard]] std::int64_t unknown_id() const { return model_.unknown; }
  [[nodiscard]] const std::string& where() const { return model_.where; }

 private:
  [[nodiscard]] std::string normalised(std::string_view text) const;
  [[nodiscard]] std::vector<std::int64_t> best_path(std::string_view text) const;

  SentencePieceModel model_;
  Charsmap charsmap_;
  std::unordered_map<std::string_view, std::int64_t> normal_;  // views of model_.pieces
  std::unordered_map<std::string_view, std::int64_t> all_;
  std::size_t longest_ = 0;  // bytes of the longest normal piece
  float unknown_score_ = 0;
};

}  // namespace atelier
