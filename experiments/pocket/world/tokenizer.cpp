#include "experiments/pocket/world/tokenizer.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "experiments/pocket/world/captions.h"
#include "experiments/pocket/world/folder.h"
#include "framework/core/atomic_file.h"
#include "framework/core/json.h"

namespace atelier::pocket {
namespace {

using Merge = std::pair<std::string, std::string>;
using Symbols = std::vector<std::string>;

constexpr const char* kStart = "<|startoftext|>";
constexpr const char* kEnd = "<|endoftext|>";
constexpr std::string_view kWordEnd = "</w>";

// Words of the published prompt lists that the world itself does not say.
constexpr std::array<std::string_view, 38> kOtherWords{
    "and",      "around",      "autumn",   "black",  "chef",    "crowded", "cube",  "eiffel", "elmo",  "fabric",
    "field",    "firefighter", "floating", "grass",  "holding", "house",   "it",    "leaves", "milk",  "mirror",
    "monocle",  "mountain",    "outfit",   "police", "rainbow", "rug",     "santa", "shaped", "shiny", "shirt",
    "sidewalk", "sunflowers",  "tower",    "tree",   "trees",   "wet",     "wheat", "wizard"};

std::string utf8(unsigned code) {  // below 0x800
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

/// The 256 letters that stand for bytes, in CLIP's order: printable Latin-1 first, the others as U+0100 and on.
Symbols byte_symbols() {
  const auto printable = [](unsigned byte) { return (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173); };
  Symbols symbols;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (printable(byte)) symbols.push_back(utf8(byte));
  }
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (!printable(byte)) symbols.push_back(utf8(next++));
  }
  return symbols;
}

Symbols spelled(const std::string& word) {
  Symbols symbols;
  for (const char letter : word) symbols.emplace_back(1, letter);
  symbols.back() += kWordEnd;
  return symbols;
}

/// The pair that occurs most often; ("", "") when every word is one symbol.
Merge commonest(const std::vector<Symbols>& words) {
  std::map<Merge, int> counts;
  for (const Symbols& word : words) {
    for (std::size_t i = 0; i + 1 < word.size(); ++i) ++counts[{word[i], word[i + 1]}];
  }
  Merge best;
  int most = 0;
  for (const auto& [pair, count] : counts) {
    if (count <= most) continue;
    best = pair;
    most = count;
  }
  return best;
}

void join(Symbols& word, const Merge& merge) {
  Symbols joined;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool here = i + 1 < word.size() && word[i] == merge.first && word[i + 1] == merge.second;
    joined.push_back(here ? word[i] + word[i + 1] : word[i]);
    if (here) ++i;
  }
  word = std::move(joined);
}

std::string vocabulary_json(const Symbols& vocabulary) {
  std::string text = "{";
  for (std::size_t id = 0; id < vocabulary.size(); ++id)
    text += fmt::format("{}{}: {}", id == 0 ? "" : ", ", Json(vocabulary[id]).dump(), id);
  return text + "}\n";
}

}  // namespace

std::vector<std::string> tokenizer_words() {
  std::set<std::string> words(kOtherWords.begin(), kOtherWords.end());
  for (std::string& word : world_words()) words.insert(std::move(word));
  return {words.begin(), words.end()};
}

std::vector<Merge> train_merges(std::span<const std::string> words) {
  std::vector<Symbols> symbols;
  for (const std::string& word : words) symbols.push_back(spelled(word));
  std::vector<Merge> merges;
  for (Merge next = commonest(symbols); !next.first.empty(); next = commonest(symbols)) {
    for (Symbols& word : symbols) join(word, next);
    merges.push_back(std::move(next));
  }
  return merges;
}

Symbols tokenizer_vocabulary(std::span<const Merge> merges) {
  Symbols vocabulary = byte_symbols();
  for (std::size_t i = 0; i < 256; ++i) vocabulary.push_back(vocabulary[i] + std::string(kWordEnd));
  for (const Merge& merge : merges) vocabulary.push_back(merge.first + merge.second);
  vocabulary.emplace_back(kStart);
  vocabulary.emplace_back(kEnd);
  return vocabulary;
}

std::map<std::string, std::string> tokenizer_files() {
  const auto words = tokenizer_words();
  const auto merges = train_merges(words);
  std::string lines = "#version: 0.2\n";
  for (const auto& [left, right] : merges) lines += fmt::format("{} {}\n", left, right);
  const Json special = {{"bos_token", kStart}, {"eos_token", kEnd}, {"pad_token", kEnd}, {"unk_token", kEnd}};
  Json config = special;
  config["do_lower_case"] = true;
  config["model_max_length"] = 77;
  config["tokenizer_class"] = "CLIPTokenizer";
  return {{"vocab.json", vocabulary_json(tokenizer_vocabulary(merges))},
          {"merges.txt", lines},
          {"tokenizer_config.json", pretty_json(config)},
          {"special_tokens_map.json", pretty_json(special)}};
}

void write_tokenizer(const std::filesystem::path& folder) {
  make_folder(folder);
  for (const auto& [name, content] : tokenizer_files()) write_file_atomically(folder / name, content);
}

}  // namespace atelier::pocket
