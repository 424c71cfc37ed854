#include "framework/text/tokenizer_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/core/mapped_file.h"
#include "framework/text/special_tokens.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMergesOfClip = 49152 - 256 - 2;  // merges.txt may list more, which CLIP never learned
constexpr std::size_t kBaseSymbols = 2 * 256 + 2;       // bytes, bytes with </w>, and two special tokens
constexpr std::int64_t kLengthOfClip = 77;

Error bad_merge(const std::string& where, std::size_t line, std::string found) {
  return Error({.where = fmt::format("{}:{}", where, line),
                .found = std::move(found),
                .expected = "two tokens of the vocabulary with one space between them, whose join is in it too"});
}

/// `text` is one merge a line, without the version line; `first_line` is the number of its first line in the file.
/// A list that is longer than the vocabulary ends at the first merge whose product the vocabulary lacks.
std::vector<Merge> parse_merges(std::string_view text, const Vocabulary& vocabulary, const std::string& where,
                                std::size_t first_line) {
  std::vector<Merge> merges;
  std::string joined;
  for (std::size_t begin = 0; begin < text.size() && merges.size() < kMergesOfClip;) {
    const auto end = std::min(text.find('\n', begin), text.size());
    auto line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto number = first_line + merges.size();
    if (line.empty() && begin >= text.size()) break;
    const auto space = line.find(' ');
    if (space == std::string_view::npos) throw bad_merge(where, number, fmt::format("\"{}\"", line));
    joined.assign(line.substr(0, space)).append(line.substr(space + 1));
    const auto left = vocabulary.find(line.substr(0, space));
    const auto right = vocabulary.find(line.substr(space + 1));
    const auto product = vocabulary.find(joined);
    if (left && right && product) {
      merges.push_back({*left, *right, *product});
    } else if (merges.size() + kBaseSymbols >= vocabulary.size()) {
      break;
    } else {
      throw bad_merge(where, number, fmt::format("\"{}\", which the vocabulary does not cover", line));
    }
  }
  return merges;
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void read_vocab_and_merges(const fs::path& folder, TokenizerFolder& out) {
  const auto vocab = folder / "vocab.json";
  const auto merges = folder / "merges.txt";
  out.vocabulary = Vocabulary::parse(text_of(*MappedFile::open(vocab)), vocab.string());
  const auto file = MappedFile::open(merges);
  const auto text = text_of(*file);
  const auto version_end = text.find('\n');  // line 1 says which version of the format this is
  const auto lines = version_end == std::string_view::npos ? std::string_view() : text.substr(version_end + 1);
  out.merges = parse_merges(lines, out.vocabulary, merges.string(), 2);
}

const Json& member(const Json& object, const char* key, Json::value_t type, const std::string& where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end() || found->type() != type) {
    throw Error({.where = where,
                 .found = fmt::format("no usable \"{}\"", key),
                 .expected = "a byte-pair tokenizer as the `tokenizers` library writes it",
                 .advice = "give the folder vocab.json and merges.txt"});
  }
  return *found;
}

/// tokenizer.json has merges as "left right" or as [left, right]; both become lines.
std::string merge_lines(const Json& merges, const std::string& where) {
  std::string lines;
  for (const auto& merge : merges) {
    if (merge.is_string()) {
      lines += merge.get_ref<const std::string&>() + "\n";
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      lines += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\n";
    } else {
      throw Error({.where = where, .found = "a merge that is not two strings", .expected = "\"left right\""});
    }
  }
  return lines;
}

std::int64_t token_id(const Json& value, const std::string& token, const std::string& where) {
  if (!value.is_number_unsigned()) {
    throw Error(
        {.where = where, .found = fmt::format("{} as the id of \"{}\"", value.dump(), token), .expected = "an id"});
  }
  return value.get<std::int64_t>();
}

void add(TokenizerFolder& out, const std::string& token, std::int64_t id, const std::string& where) {
  const auto same = [&](const auto& other) { return other.first == token; };
  const auto known = std::find_if(out.added.begin(), out.added.end(), same);
  const auto other = known != out.added.end() ? std::optional(known->second) : out.vocabulary.find(token);
  if (token.empty() || (other && *other != id)) {
    throw Error(
        {.where = where,
         .found = fmt::format("the added token \"{}\" with id {}", token, id),
         .expected = other ? fmt::format("id {}, as elsewhere in the folder", *other) : "a token that is not empty"});
  }
  if (known == out.added.end()) out.added.emplace_back(token, id);
}

void read_tokenizer_json(const fs::path& path, TokenizerFolder& out) {
  const auto where = path.string();
  const auto json = read_json_file(path);
  const auto& model = member(json, "model", Json::value_t::object, where);
  for (const auto& [token, id] : member(model, "vocab", Json::value_t::object, where).items()) {
    out.vocabulary.insert(token, token_id(id, token, where), where);
  }
  const auto lines = merge_lines(member(model, "merges", Json::value_t::array, where), where);
  out.merges = parse_merges(lines, out.vocabulary, where + " merges", 1);
  if (!json.contains("added_tokens")) return;
  for (const auto& token : member(json, "added_tokens", Json::value_t::array, where)) {
    const auto& content = member(token, "content", Json::value_t::string, where).get_ref<const std::string&>();
    add(out, content, token_id(member(token, "id", Json::value_t::number_unsigned, where), content, where), where);
  }
}

void read_added(const fs::path& folder, const Json& config, TokenizerFolder& out) {
  const auto path = folder / "added_tokens.json";
  const auto added = optional_json_object(path);
  for (const auto& [token, id] : added.items()) add(out, token, token_id(id, token, path.string()), path.string());
  const auto where = (folder / "tokenizer_config.json").string() + " added_tokens_decoder";
  const auto decoder = config.find("added_tokens_decoder");
  if (decoder == config.end() || !decoder->is_object()) return;
  for (const auto& [id, token] : decoder->items()) {
    const auto text = special_text(token, id, where);
    const bool is_number = !id.empty() && id.size() < 9 && id.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) throw Error({.where = where, .found = fmt::format("the key \"{}\"", id), .expected = "an id"});
    add(out, text, std::stoll(id), where);
  }
}

}  // namespace

TokenizerFolder read_tokenizer_folder(const fs::path& folder) {
  TokenizerFolder out;
  out.where = folder.string();
  const bool has_lists = fs::exists(folder / "vocab.json") && fs::exists(folder / "merges.txt");
  if (!has_lists && !fs::exists(folder / "tokenizer.json")) {
    throw Error(
        {.where = folder.string(),
         .found = fs::is_directory(folder) ? "neither vocab.json with merges.txt nor tokenizer.json" : "no such folder",
         .expected = "a CLIP tokenizer folder",
         .advice = "copy the tokenizer folder of the base model there"});
  }
  if (has_lists) {
    read_vocab_and_merges(folder, out);
  } else {
    read_tokenizer_json(folder / "tokenizer.json", out);
  }
  const SpecialTokens specials(folder);
  read_added(folder, specials.config(), out);
  out.bos = specials.text("bos_token", "<|startoftext|>");
  out.eos = specials.text("eos_token", "<|endoftext|>");
  out.unknown = specials.text("unk_token", "<|endoftext|>");
  out.pad = specials.text("pad_token", "<|endoftext|>");
  out.additional = specials.additional();
  out.length = specials.model_length(kLengthOfClip);
  std::sort(out.added.begin(), out.added.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return out;
}

}  // namespace atelier
