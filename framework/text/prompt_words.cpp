#include "framework/text/prompt_words.h"

#include <algorithm>
#include <sstream>

namespace atelier {

PromptWords PromptWords::of(const ClipTokenizer& tokenizer, const std::string& prompt) {
  PromptWords result{.ids = {tokenizer.bos_id()}, .words = {}, .length = tokenizer.length()};
  const std::int64_t room = tokenizer.length() - 1;  // the last place is the end token's
  std::istringstream words(prompt);
  for (std::string text; words >> text;) {
    Word word{.text = text, .places = {}};
    for (const auto id : tokenizer.tokens(tokenizer.expand_vectors(text))) {
      const auto place = static_cast<std::int64_t>(result.ids.size());
      if (place >= room) break;
      word.places.push_back(place);
      result.ids.push_back(id);
    }
    result.words.push_back(std::move(word));
  }
  result.ids.push_back(tokenizer.eos_id());
  return result;
}

std::vector<std::int64_t> places_of(const ClipTokenizer& tokenizer, const PromptWords& prompt,
                                    const std::string& text) {
  const auto wanted = tokenizer.tokens(tokenizer.expand_vectors(text));
  std::vector<std::int64_t> places;
  if (wanted.empty()) return places;
  for (auto begin = prompt.ids.begin(); begin != prompt.ids.end();) {
    begin = std::search(begin, prompt.ids.end(), wanted.begin(), wanted.end());
    if (begin == prompt.ids.end()) break;
    for (std::size_t i = 0; i < wanted.size(); ++i, ++begin) places.push_back(begin - prompt.ids.begin());
  }
  return places;
}

}  // namespace atelier
