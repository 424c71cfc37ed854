#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace atelier::pocket {

/// What the tokenizer makes one token of: world_words(), and the words of the prompt lists that methods train or are
/// scored with (eval/data/prompts: ti, textreg).
[[nodiscard]] std::vector<std::string> tokenizer_words();

/// Byte-pair merges, in the order in which they are applied, after which each of `words` is one symbol ending in
/// "</w>": Gage's algorithm as Sennrich et al. 2016 (arXiv:1508.07909) train it, until nothing is left to join; of
/// pairs that occur equally often the first in alphabetical order. Words are lower-case ASCII.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> train_merges(std::span<const std::string> words);

/// The vocabulary in order of ids: 256 byte symbols, the same at a word's end, one for each merge, start and end of
/// text.
[[nodiscard]] std::vector<std::string> tokenizer_vocabulary(
    std::span<const std::pair<std::string, std::string>> merges);

/// vocab.json, merges.txt, tokenizer_config.json and special_tokens_map.json as CLIPTokenizer reads them.
[[nodiscard]] std::map<std::string, std::string> tokenizer_files();
/// Writes them; files of these names are replaced.
void write_tokenizer(const std::filesystem::path& folder);

}  // namespace atelier::pocket
