#include "framework/text/tokenizer_folder.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/text/clip_tokenizer.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

const fs::path kReferenceVocabulary = fs::path(ATELIER_SOURCE_DIR) / "tests/data/clip_tokenizer";

using Ids = std::vector<std::int64_t>;

// Letters c, a, t, s with and without end of word, and what "cat" and "cats" need.
constexpr const char* kSmallVocab =
    R"({"c":0,"a":1,"t":2,"s":3,"c</w>":4,"a</w>":5,"t</w>":6,"s</w>":7,"ca":8,"cat</w>":9,"cat":10,"cats</w>":11,)"
    R"("<|startoftext|>":12,"<|endoftext|>":13})";
constexpr const char* kSmallMerges = "#version: 0.2\nc a\nca t</w>\nca t\ncat s</w>\n";

class SmallFolder : public TemporaryFolder {
 public:
  SmallFolder() {
    write("vocab.json", kSmallVocab);
    write("merges.txt", kSmallMerges);
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(*this / name) << text; }
  [[nodiscard]] ClipTokenizer load() const { return ClipTokenizer::load(path()); }
};

}  // namespace

TEST_CASE("a vocabulary may be small; symbols that it lacks are the unknown token", "[text][tokenizer_folder]") {
  const SmallFolder folder;
  const auto tokenizer = folder.load();
  CHECK(tokenizer.tokens("cat cats CATS tac") == Ids{9, 11, 11, 2, 1, 4});
  CHECK(tokenizer.tokens("cab") == Ids{8, 13});
  CHECK(tokenizer.vocab_size() == 14);
  CHECK(tokenizer.length() == 77);
}

TEST_CASE("merges beyond the vocabulary are not used", "[text][tokenizer_folder]") {
  const SmallFolder folder;
  folder.write("merges.txt", std::string(kSmallMerges) + "t a\nc t\n");
  CHECK(folder.load().tokens("cats") == Ids{11});
  CHECK(folder.load().tokens("ta") == Ids{2, 5});
}

TEST_CASE("CLIP's own merges end at line 48895 even where the file goes on", "[text][tokenizer_folder]") {
  const TemporaryFolder folder;
  for (const auto* name : {"vocab.json", "merges.txt"}) fs::copy(kReferenceVocabulary / name, folder / name);
  fs::permissions(folder / "merges.txt", fs::perms::owner_write, fs::perm_options::add);
  // Another way to "cat</w>", and one whose product is not in the vocabulary.
  std::ofstream(folder / "merges.txt", std::ios::app) << "c at</w>\nzq zq</w>\n";
  CHECK(read_tokenizer_folder(folder.path()).merges.size() == 48894);
}

TEST_CASE("a merge in the middle that the vocabulary does not cover is named by its line", "[text][tokenizer_folder]") {
  const TemporaryFolder folder;
  fs::copy(kReferenceVocabulary / "vocab.json", folder / "vocab.json");
  std::ofstream(folder / "merges.txt") << "#version: 0.2\ni n\nzq zq</w>\n";
  CHECK_THROWS_WITH(ClipTokenizer::load(folder.path()), Catch::Contains("merges.txt:3: \"zq zq</w>\""));
  std::ofstream(folder / "merges.txt") << "#version: 0.2\nin\n";
  CHECK_THROWS_WITH(ClipTokenizer::load(folder.path()), Catch::Contains("merges.txt:2: \"in\""));
}

TEST_CASE("tokenizer.json alone holds the same tokenizer, in both spellings of merges", "[text][tokenizer_folder]") {
  Json merges = Json::array();
  for (const auto* merge : {"c a", "ca t</w>", "ca t", "cat s</w>"}) merges.push_back(merge);
  Json json = {{"model", {{"type", "BPE"}, {"vocab", Json::parse(kSmallVocab)}, {"merges", merges}}},
               {"added_tokens", {{{"id", 14}, {"content", "<x>"}}, {{"id", 13}, {"content", "<|endoftext|>"}}}}};
  const TemporaryFolder folder;
  const auto check = [&] {
    std::ofstream(folder / "tokenizer.json") << json.dump();
    const auto tokenizer = ClipTokenizer::load(folder.path());
    CHECK(tokenizer.tokens("cats<x>cat") == Ids{11, 14, 9});
    CHECK(tokenizer.vocab_size() == 15);
  };
  check();
  for (auto& merge : json["model"]["merges"]) {
    const auto text = merge.get<std::string>();
    merge = Json::array({text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)});
  }
  check();
  json["model"]["merges"][1] = 3;
  CHECK_THROWS_WITH(check(), Catch::Contains("tokenizer.json"));
}

TEST_CASE("added tokens come from added_tokens.json and added_tokens_decoder", "[text][tokenizer_folder]") {
  const SmallFolder folder;
  folder.write("added_tokens.json", R"({"<y>": 15, "<x>": 14})");
  folder.write("tokenizer_config.json",
               R"({"added_tokens_decoder": {"14": {"content": "<x>"}, "16": {"content": "<z>"}}})");
  auto tokenizer = folder.load();
  CHECK(tokenizer.tokens("<x><y>cat<z>") == Ids{14, 15, 9, 16});
  CHECK(tokenizer.added_tokens().size() == 3);
  CHECK(tokenizer.add_token("<new>") == 17);
  folder.write("added_tokens.json", R"({"<x>": 15})");
  CHECK_THROWS_WITH(folder.load(), Catch::Contains("\"<x>\" with id 14"));
  folder.write("added_tokens.json", R"({"<q>": 3})");
  CHECK_THROWS_WITH(folder.load(), Catch::Contains("the id 3 for \"<q>\""));
}

TEST_CASE("an absurd model_max_length means CLIP's 77", "[text][tokenizer_folder]") {
  const SmallFolder folder;
  const auto length = [&](const std::string& value) {
    folder.write("tokenizer_config.json", "{\"model_max_length\": " + value + "}");
    return folder.load().length();
  };
  CHECK(length("1000000000000000019884624838656") == 77);
  CHECK(length("1e30") == 77);
  CHECK(length("null") == 77);
  CHECK(length("16") == 16);
  CHECK_THROWS_WITH(length("1"), Catch::Contains("model_max_length: 1"));
  CHECK_THROWS_WITH(length("-5"), Catch::Contains("model_max_length: -5"));
  CHECK_THROWS_WITH(length("\"77\""), Catch::Contains("model_max_length"));
}

TEST_CASE("truncation keeps the end token at any length", "[text][tokenizer_folder]") {
  const SmallFolder folder;
  folder.write("tokenizer_config.json", R"({"model_max_length": 4})");
  CHECK(folder.load().encode("cat cats cat") == Ids{12, 9, 11, 13});
  CHECK(folder.load().encode("") == Ids{12, 13, 13, 13});
}

TEST_CASE("damaged vocabularies are refused by name", "[text][tokenizer_folder]") {
  const SmallFolder folder;
  const auto fails = [&](const std::string& vocab, const std::string& expected) {
    folder.write("vocab.json", vocab);
    CHECK_THROWS_WITH(folder.load(), Catch::Contains("vocab.json") && Catch::Contains(expected));
  };
  fails("", "not JSON");
  fails("[1]", "an array");
  fails("7", "the number 7");
  fails(R"({"a": "b"})", "a string as the id of \"a\"");
  fails(R"({"a": -1})", "the number -1");
  fails(R"({"a": 1.5})", "1.5");
  fails(R"({"a": {"b": 1}})", "an object as the id of \"a\"");
  fails(R"({"a": 1, "b": 1})", "the id 1 for \"b\"");
  fails(R"({"a": 1, "a": 2})", "\"a\" twice");
  fails(R"({"a": 4294967296})", "4294967296");
  fails(R"({"a": 1} x)", "not JSON");
  CHECK_THROWS_WITH(ClipTokenizer::load(folder / "nowhere"), Catch::Contains("no such folder"));
}

TEST_CASE("files with random damage give an Error or a tokenizer, nothing else", "[text][tokenizer_folder]") {
  const SmallFolder folder;
  folder.write("added_tokens.json", R"({"<x>": 14, "<y>": 15})");
  folder.write("special_tokens_map.json",
               R"({"pad_token": {"content": "<x>"}, "additional_special_tokens": ["<z>", "<y>"]})");
  folder.write("tokenizer_config.json",
               R"({"model_max_length": 9, "added_tokens_decoder": {"16": {"content": "<w>"}}})");
  REQUIRE(folder.load().encode("cats").size() == 9);
  std::mt19937 random(1);
  for (const std::string name :
       {"vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"}) {
    const auto original = read_text_file(folder / name);
    int loaded = 0;
    for (int round = 0; round < 500; ++round) {
      auto text = original;
      for (auto n = random() % 3; n <= 2; ++n)
        text[random() % text.size()] = "\0\"{}[]:,01-e \n\\<x\xff"[random() % 19];
      if (round % 10 == 0) text.resize(random() % text.size());
      folder.write(name, text);
      try {
        const auto tokenizer = folder.load();
        ++loaded;
        if (tokenizer.length() <= 100)
          CHECK(tokenizer.encode("cats <x> tac").size() == static_cast<std::size_t>(tokenizer.length()));
      } catch (const Error& error) {
        CHECK_THAT(error.fault().where, Catch::Contains(folder.path().string()));
      }
    }
    folder.write(name, original);
    CHECK(loaded > 0);
  }
}
