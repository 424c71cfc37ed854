#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "framework/text/unigram.h"

namespace atelier {

/// SigLIP's tokenizer as `transformers`' SiglipTokenizer applies it: lower case, no ASCII punctuation, one blank
/// between words, then a unigram model; the end token behind the text, and padding up to length().
class SiglipTokenizer {
 public:
  /// Reads spiece.model, or where it is absent a tokenizer.json whose model is Unigram; then tokenizer_config.json and
  /// special_tokens_map.json, both optional. Throws Error with file and key.
  [[nodiscard]] static SiglipTokenizer load(const std::filesystem::path& folder);

  /// Ids of the text alone: no end token, no padding, nothing cut. Throws Error with the byte offset when the text is
  /// not UTF-8, and for a text that spells a special token: a score cannot mean that.
  [[nodiscard]] std::vector<std::int64_t> tokens(std::string_view text) const;
  /// At most length() − 1 ids of the text, the end token, padding.
  [[nodiscard]] std::vector<std::int64_t> encode(std::string_view text) const;

  [[nodiscard]] std::int64_t length() const noexcept { return length_; }  ///< ids per text, 64
  [[nodiscard]] std::int64_t size() const { return pieces_.size(); }      ///< ids that there are

 private:
  explicit SiglipTokenizer(SentencePieceModel model) : pieces_(std::move(model)) {}

  Unigram pieces_;
  std::string unknown_, end_, padding_;  // spelled out
  std::int64_t end_id_ = 0, padding_id_ = 0;
  std::int64_t length_ = 64;
  bool lower_ = true;
};

}  // namespace atelier
