#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/text/byte_pairs.h"
#include "framework/text/vocabulary.h"

namespace atelier {

/// What the files of a `tokenizer/` folder say.
struct TokenizerFolder {
  std::string where;  ///< the folder, for messages
  Vocabulary vocabulary;
  std::vector<Merge> merges;
  std::vector<std::pair<std::string, std::int64_t>> added;  ///< by id; not part of `vocabulary` unless stated twice
  std::string bos, eos, unknown, pad;
  std::vector<std::string> additional;  ///< further special tokens
  std::int64_t length = 77;             ///< ids per prompt
};

/// Reads vocab.json and merges.txt, or tokenizer.json where those two are absent; then added_tokens.json,
/// tokenizer_config.json and special_tokens_map.json, each optional. A special token is the one that
/// special_tokens_map.json names, else tokenizer_config.json, else CLIP's.
/// Throws Error with file and key or line.
[[nodiscard]] TokenizerFolder read_tokenizer_folder(const std::filesystem::path& folder);

}  // namespace atelier
