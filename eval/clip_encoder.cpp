#include "eval/clip_encoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/text_check.h"
#include "framework/core/error.h"

namespace atelier::eval {

ClipTokenizer ClipEncoder::load_tokenizer() const {
  return ClipTokenizer::load(tokenizer_folder(files(), {"vocab.json", "tokenizer.json"}));
}

std::vector<std::int64_t> ClipEncoder::encode(const std::string& text) const {
  const auto bare = tokenizer().tokens(text);
  const std::int64_t length = std::min(tokenizer().length(), model().text().config().positions);
  require_text_fits(text, bare.size(), 2, length);
  for (const auto& [token, id] : tokenizer().added_tokens()) {
    if (std::ranges::find(bare, id) == bare.end()) continue;
    throw Error({.where = fmt::format("scoring text \"{}\"", text),
                 .found = fmt::format("the added token {}", token),
                 .expected = "words that the encoder was trained on",
                 .advice = "a learned token may not take part in a score"});
  }
  std::vector<std::int64_t> ids(static_cast<std::size_t>(length), tokenizer().pad_id());
  ids.front() = tokenizer().bos_id();
  std::ranges::copy(bare, ids.begin() + 1);
  ids[bare.size() + 1] = tokenizer().eos_id();
  return ids;
}

}  // namespace atelier::eval
