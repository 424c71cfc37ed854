#include "framework/text/clip_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/text/added_tokens.h"
#include "framework/text/byte_pairs.h"
#include "framework/text/prompt_text.h"
#include "framework/text/tokenizer_folder.h"

namespace atelier {

struct ClipTokenizer::Parts {
  Parts(Vocabulary words, const std::vector<Merge>& merges, std::int64_t unknown)
      : vocabulary(std::move(words)), pairs(vocabulary, merges, unknown) {}

  Vocabulary vocabulary;
  BytePairs pairs;
  AddedTokens added;
  std::size_t special_count = 0;  // the first tokens of `added`
};

ClipTokenizer::ClipTokenizer(TokenizerFolder folder) : length_(folder.length) {
  for (const auto& [token, id] : folder.added) {
    if (!folder.vocabulary.find(token)) folder.vocabulary.insert(token, id, folder.where);
  }
  const auto unknown = folder.vocabulary.find(folder.unknown);
  if (!unknown) {
    throw Error(
        {.where = folder.where, .found = fmt::format("unk_token \"{}\"", folder.unknown), .expected = "a token"});
  }
  parts_ = std::make_unique<Parts>(std::move(folder.vocabulary), folder.merges, *unknown);
  bos_ = special(folder.bos, "bos_token", folder.where);
  eos_ = special(folder.eos, "eos_token", folder.where);
  pad_ = special(folder.pad, "pad_token", folder.where);
  special(folder.unknown, "unk_token", folder.where);
  parts_->special_count = parts_->added.all().size();
  for (const auto& [token, id] : folder.added) {
    if (!parts_->added.find(token)) parts_->added.insert(token, id);
  }
  vocab_size_ = parts_->vocabulary.end_id();
  for (const auto& token : folder.additional) {
    if (parts_->added.find(token)) continue;
    const auto id = parts_->vocabulary.find(token);
    if (id) {
      parts_->added.insert(token, *id);
    } else {
      append(token, folder.where);
    }
  }
}

ClipTokenizer::~ClipTokenizer() = default;
ClipTokenizer::ClipTokenizer(ClipTokenizer&&) noexcept = default;
ClipTokenizer& ClipTokenizer::operator=(ClipTokenizer&&) noexcept = default;

ClipTokenizer ClipTokenizer::load(const std::filesystem::path& folder) {
  return ClipTokenizer(read_tokenizer_folder(folder));
}

std::int64_t ClipTokenizer::special(const std::string& text, const char* what, const std::string& where) {
  const auto id = parts_->vocabulary.find(text);
  if (!id) {
    throw Error({.where = where,
                 .found = fmt::format("{} \"{}\", which the vocabulary lacks", what, text),
                 .expected = "a token of vocab.json or added_tokens.json"});
  }
  if (!parts_->added.find(text)) parts_->added.insert(text, *id);
  return *id;
}

std::vector<std::int64_t> ClipTokenizer::tokens(std::string_view prompt) const {
  require_utf8(prompt, "prompt");
  std::vector<std::int64_t> ids;
  parts_->added.split(
      prompt,
      [&](std::string_view text) {
        for (const auto& piece : split_prompt(normalize_prompt(text))) parts_->pairs.encode(piece, ids);
      },
      [&](std::string_view, std::int64_t id) { ids.push_back(id); });
  return ids;
}

std::vector<std::int64_t> ClipTokenizer::encode(std::string_view prompt) const {
  auto ids = tokens(prompt);
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(length_ - 2)));
  ids.insert(ids.begin(), bos_);
  ids.push_back(eos_);
  ids.resize(static_cast<std::size_t>(length_), pad_);
  return ids;
}

std::int64_t ClipTokenizer::id_of(std::string_view token) const { return parts_->vocabulary.find(token).value_or(-1); }

std::int64_t ClipTokenizer::add_token(const std::string& text) {
  require_utf8(text, "the new token");
  if (text.empty() || has_outer_space(text)) {
    throw Error({.where = fmt::format("the new token \"{}\"", text),
                 .found = text.empty() ? "nothing" : "whitespace at an end",
                 .expected = "text such as <cat-toy>"},
                ErrorKind::usage);
  }
  if (id_of(text) >= 0) {
    throw Error({.where = fmt::format("the new token \"{}\"", text),
                 .found = fmt::format("the tokenizer has it already, with id {}", id_of(text)),
                 .expected = "a token that is new",
                 .advice = "choose another placeholder"},
                ErrorKind::usage);
  }
  return append(text, "the new token");
}

std::int64_t ClipTokenizer::append(const std::string& text, const std::string& where) {
  const auto id = vocab_size_;
  parts_->vocabulary.insert(text, id, where);
  parts_->added.insert(text, id);
  vocab_size_ = id + 1;
  return id;
}

std::string ClipTokenizer::expand_vectors(std::string_view prompt) const {
  std::string out;
  parts_->added.split(
      prompt, [&](std::string_view text) { out += text; },
      [&](std::string_view token, std::int64_t) {
        out += token;
        for (int i = 1;; ++i) {
          const auto next = fmt::format("{}_{}", token, i);
          if (!parts_->added.find(next)) break;
          out += " " + next;
        }
      });
  return out;
}

std::vector<std::pair<std::string, std::int64_t>> ClipTokenizer::added_tokens() const {
  const auto& all = parts_->added.all();
  return {all.begin() + static_cast<std::ptrdiff_t>(parts_->special_count), all.end()};
}

}  // namespace atelier
