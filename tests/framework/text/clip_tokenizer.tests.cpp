#include "framework/text/clip_tokenizer.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

const fs::path kVocabulary = fs::path(ATELIER_SOURCE_DIR) / "tests/data/clip_tokenizer";

// Written by make_references.py from transformers' CLIPTokenizer.
const Json& references() {
  static const Json json =
      read_json_file(fs::path(ATELIER_SOURCE_DIR) / "tests/framework/text/tokenizer_references.json");
  return json;
}

const ClipTokenizer& plain() {
  static const ClipTokenizer tokenizer = ClipTokenizer::load(kVocabulary);
  return tokenizer;
}

ClipTokenizer with_pad(const std::string& special_tokens_map) {
  const TemporaryFolder folder;
  for (const auto* name : {"vocab.json", "merges.txt", "tokenizer_config.json"})
    fs::copy(kVocabulary / name, folder / name);
  std::ofstream(folder / "special_tokens_map.json") << special_tokens_map;
  return ClipTokenizer::load(folder.path());
}

void check_rows(const ClipTokenizer& tokenizer, const std::string& name) {
  for (const auto& row : references().at(name)) {
    const auto prompt = row.at(0).get<std::string>();
    INFO(name << ": " << row.at(0).dump(-1, ' ', true));
    auto expected = row.at(1).get<std::vector<std::int64_t>>();
    CHECK(tokenizer.tokens(prompt) == expected);
    expected.resize(std::min<std::size_t>(expected.size(), 75));
    expected.insert(expected.begin(), 49406);
    expected.push_back(49407);
    expected.resize(77, tokenizer.pad_id());
    CHECK(tokenizer.encode(prompt) == expected);
  }
}

}  // namespace

TEST_CASE("prompts become the ids that transformers gives them", "[text][clip_tokenizer]") {
  REQUIRE(references().at("plain").size() > 400);
  check_rows(plain(), "plain");
}

TEST_CASE("the check line of the vocabulary's README holds", "[text][clip_tokenizer]") {
  CHECK(plain().tokens("a photo of a cat") == std::vector<std::int64_t>{320, 1125, 539, 320, 2368});
  CHECK(plain().vocab_size() == 49408);
  CHECK(plain().bos_id() == 49406);
  CHECK(plain().eos_id() == 49407);
  CHECK(plain().pad_id() == 49407);
  CHECK(plain().length() == 77);
}

TEST_CASE("where ! is the pad token, a ! of the prompt is the pad token too", "[text][clip_tokenizer]") {
  for (const auto* map : {R"({"pad_token": "!"})", R"({"pad_token": {"content": "!", "lstrip": false}})"}) {
    const auto tokenizer = with_pad(map);
    CHECK(tokenizer.pad_id() == 0);
    check_rows(tokenizer, "bang");
  }
}

TEST_CASE("special_tokens_map.json comes before tokenizer_config.json", "[text][clip_tokenizer]") {
  CHECK(with_pad("{}").pad_id() == 49407);
  CHECK(with_pad(R"({"pad_token": null})").pad_id() == 49407);
  CHECK(with_pad(R"({"pad_token": "cat</w>"})").pad_id() == 2368);
  CHECK_THROWS_WITH(with_pad(R"({"pad_token": "<pad>"})"), Catch::Contains("pad_token \"<pad>\""));
  CHECK_THROWS_WITH(with_pad(R"({"pad_token": 7})"), Catch::Contains("special_tokens_map.json: pad_token: 7"));
}

TEST_CASE("added tokens are cut out of the raw text, the leftmost and longest first", "[text][clip_tokenizer]") {
  auto tokenizer = ClipTokenizer::load(kVocabulary);
  std::int64_t next = 49408;
  for (const auto& token : references().at("added_tokens"))
    CHECK(tokenizer.add_token(token.get<std::string>()) == next++);
  CHECK(tokenizer.vocab_size() == next);
  CHECK(tokenizer.added_tokens().size() == references().at("added_tokens").size());
  CHECK(tokenizer.added_tokens().front() == std::pair<std::string, std::int64_t>("<cat-toy>", 49408));
  check_rows(tokenizer, "added");
}

// transformers 5 normalises added tokens and looks for them in the normalised text, so `<Cat>` also takes `<cat>`, `a
// b` also takes `a  b`, and a token before a combining mark may be lost. transformers 4's CLIPTokenizer, with which the
// methods were published, looks in the raw text. The raw text is right: a placeholder is what the user wrote.
TEST_CASE("added tokens are case-sensitive and are not normalised", "[text][clip_tokenizer]") {
  auto tokenizer = ClipTokenizer::load(kVocabulary);
  const auto id = tokenizer.add_token("<Cat>");
  CHECK(tokenizer.tokens("<Cat>") == std::vector{id});
  CHECK(tokenizer.tokens("<cat>") == plain().tokens("<cat>"));
  CHECK(tokenizer.tokens("<Cat>\u0338").front() == id);
  const auto dog = tokenizer.add_token("sks dog");
  CHECK(tokenizer.tokens("sks dog\u0301").front() == dog);
  CHECK(tokenizer.tokens("sks  dog") == plain().tokens("sks dog"));
}

TEST_CASE("a token that exists, is empty or has outer whitespace cannot be added", "[text][clip_tokenizer]") {
  auto tokenizer = ClipTokenizer::load(kVocabulary);
  tokenizer.add_token("<x>");
  CHECK_THROWS_WITH(tokenizer.add_token("<x>"), Catch::Contains("has it already, with id 49408"));
  CHECK_THROWS_WITH(tokenizer.add_token("cat"), Catch::Contains("has it already"));
  CHECK_THROWS_WITH(tokenizer.add_token("<|endoftext|>"), Catch::Contains("49407"));
  CHECK_THROWS_WITH(tokenizer.add_token(""), Catch::Contains("nothing"));
  CHECK_THROWS_WITH(tokenizer.add_token("<y>\u00a0"), Catch::Contains("whitespace"));
  CHECK_THROWS_WITH(tokenizer.add_token("\t<y>"), Catch::Contains("whitespace"));
  CHECK_THROWS_WITH(tokenizer.add_token("a\xff"), Catch::Contains("offset 1"));
  CHECK(tokenizer.vocab_size() == 49409);
  CHECK(tokenizer.id_of("<x>") == 49408);
  CHECK(tokenizer.id_of("cat</w>") == 2368);
  CHECK(tokenizer.id_of("no such token") == -1);
}

TEST_CASE("a placeholder with several vectors is spelled out", "[text][clip_tokenizer]") {
  auto tokenizer = ClipTokenizer::load(kVocabulary);
  for (const auto* token : {"<c>", "<c>_1", "<c>_2", "<d>", "<c>_4"}) tokenizer.add_token(token);
  CHECK(tokenizer.expand_vectors("a <c> and <d>, <c>!") == "a <c> <c>_1 <c>_2 and <d>, <c> <c>_1 <c>_2!");
  CHECK(tokenizer.expand_vectors("only <c>_1") == "only <c>_1");
  CHECK(tokenizer.expand_vectors("nothing") == "nothing");
  CHECK(tokenizer.tokens(tokenizer.expand_vectors("<c>")) == std::vector<std::int64_t>{49408, 49409, 49410});
}

TEST_CASE("bytes that are not UTF-8 are an error with their offset", "[text][clip_tokenizer]") {
  CHECK_THROWS_WITH(plain().tokens("caf\xe9!"), Catch::Contains("0xe9 at offset 3"));
  CHECK_THROWS_WITH(plain().encode("\xed\xa0\x80"), Catch::Contains("offset 0"));    // a surrogate
  CHECK_THROWS_WITH(plain().encode("a\xc0\x80"), Catch::Contains("offset 1"));       // overlong
  CHECK_THROWS_WITH(plain().encode("ab\xf0\x9f\x98"), Catch::Contains("offset 2"));  // cut
}

TEST_CASE("a very long word takes time in proportion to its length", "[text][clip_tokenizer]") {
  const auto ids = plain().tokens(std::string(300000, 'a') + " " + std::string(300000, '!'));
  CHECK(ids.size() > 10000);  // a quadratic merge would take an hour
}

TEST_CASE("a tokenizer loads in well under a second", "[text][clip_tokenizer]") {
  const auto start = std::chrono::steady_clock::now();
  const auto tokenizer = ClipTokenizer::load(kVocabulary);
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  CHECK(seconds < 1.0);  // 40 ms in a release build
}
