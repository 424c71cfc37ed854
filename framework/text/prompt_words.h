#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "framework/text/clip_tokenizer.h"

namespace atelier {

/// A prompt as the text encoder reads it, with the places of its words. Places count from the start token, 0, and end
/// before length() - 1: what is cut off has none.
struct PromptWords {
  struct Word {
    std::string text;                  ///< as it stands between spaces
    std::vector<std::int64_t> places;  ///< of its tokens; empty where they were cut off
  };
  std::vector<std::int64_t> ids;  ///< start token, the prompt's, end token; no padding
  std::vector<Word> words;
  std::int64_t length = 77;  ///< ids with padding

  /// Placeholders of several vectors are expanded.
  [[nodiscard]] static PromptWords of(const ClipTokenizer& tokenizer, const std::string& prompt);
};

/// The places at which the tokens of `text` (one or more words) stand in the prompt, one after the other, wherever they
/// do; empty where they do not.
[[nodiscard]] std::vector<std::int64_t> places_of(const ClipTokenizer& tokenizer, const PromptWords& prompt,
                                                  const std::string& text);

}  // namespace atelier
