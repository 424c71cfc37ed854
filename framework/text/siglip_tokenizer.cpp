#include "framework/text/siglip_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/text/prompt_text.h"
#include "framework/text/special_tokens.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBlankMark = "\xe2\x96\x81";  // U+2581
constexpr std::int64_t kLength = 64;

SentencePieceModel read_model(const fs::path& folder) {
  if (fs::exists(folder / "spiece.model")) return read_sentencepiece(folder / "spiece.model");
  if (fs::exists(folder / "tokenizer.json")) return read_unigram_json(folder / "tokenizer.json");
  throw Error({.where = folder.string(),
               .found = fs::is_directory(folder) ? "neither spiece.model nor tokenizer.json" : "no such folder",
               .expected = "the folder of a SigLIP tokenizer",
               .advice = "copy spiece.model and tokenizer_config.json of the model there"});
}

/// What SiglipTokenizer._tokenize does to a text before it splits it.
std::string canonical(std::string_view text, bool lower) {
  const std::string cased = lower ? lower_case(text) : std::string(text);
  std::string bare;
  std::ranges::copy_if(cased, std::back_inserter(bare), [](char c) { return !is_ascii_punctuation(c); });
  return single_blanks(bare);
}

}  // namespace

SiglipTokenizer SiglipTokenizer::load(const fs::path& folder) {
  SiglipTokenizer tokenizer(read_model(folder));
  const SpecialTokens specials(folder);
  tokenizer.unknown_ = specials.text("unk_token", "<unk>");
  tokenizer.end_ = specials.text("eos_token", "</s>");
  tokenizer.padding_ = specials.text("pad_token", "</s>");
  tokenizer.end_id_ = tokenizer.pieces_.id_of(tokenizer.end_);
  tokenizer.padding_id_ = tokenizer.pieces_.id_of(tokenizer.padding_);
  tokenizer.length_ = specials.model_length(kLength);
  tokenizer.lower_ = specials.flag("do_lower_case", true);
  if (tokenizer.end_id_ == tokenizer.pieces_.unknown_id()) {
    throw Error({.where = folder.string(),
                 .found = fmt::format("eos_token \"{}\", which the vocabulary lacks", tokenizer.end_),
                 .expected = "a piece of the vocabulary"});
  }
  return tokenizer;
}

std::vector<std::int64_t> SiglipTokenizer::tokens(std::string_view text) const {
  require_utf8(text, "text");
  for (const auto& special : {unknown_, end_, padding_}) {
    if (text.find(special) == std::string_view::npos) continue;
    throw Error({.where = fmt::format("text \"{}\"", text),
                 .found = "the special token " + special,
                 .expected = "words",
                 .advice = "a score compares a picture with words; leave it out"});
  }
  std::string marked(kBlankMark);
  for (std::size_t at = 0; at < text.size();) {
    const bool blank = text.substr(at).starts_with(kBlankMark);
    marked += blank ? ' ' : text[at];
    at += blank ? kBlankMark.size() : 1;
  }
  // The reference puts the spelled-out unknown token in front, so that the first blank is kept, and cuts as many tokens
  // off as it gives alone.
  auto ids = pieces_.encode(unknown_ + canonical(marked, lower_));
  const auto front = std::min(ids.size(), pieces_.encode(unknown_).size());
  ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(front));
  return ids;
}

std::vector<std::int64_t> SiglipTokenizer::encode(std::string_view text) const {
  auto ids = tokens(text);
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(length_ - 1)));
  ids.push_back(end_id_);
  ids.resize(static_cast<std::size_t>(length_), padding_id_);
  return ids;
}

}  // namespace atelier
