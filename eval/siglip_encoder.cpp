#include "eval/siglip_encoder.h"

#include <fmt/format.h>

#include "eval/text_check.h"
#include "framework/core/error.h"

namespace atelier::eval {

SiglipTokenizer SiglipEncoder::load_tokenizer() const {
  auto loaded = SiglipTokenizer::load(tokenizer_folder(files(), {"spiece.model", "tokenizer.json"}));
  if (loaded.length() == model().text().config().positions) return loaded;
  throw Error({.where = files().folder.string(),
               .found = fmt::format("a tokenizer of {} ids a text", loaded.length()),
               .expected = fmt::format("{}, the positions of the text tower", model().text().config().positions),
               .advice = "set model_max_length in tokenizer_config.json"});
}

std::vector<std::int64_t> SiglipEncoder::encode(const std::string& text) const {
  require_text_fits(text, tokenizer().tokens(text).size(), 1, tokenizer().length());
  return tokenizer().encode(text);
}

}  // namespace atelier::eval
