#include "framework/text/siglip_tokenizer.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

const fs::path kHere = fs::path(ATELIER_SOURCE_DIR) / "tests/framework/text";

// Written by make_siglip_references.py from transformers' SiglipTokenizer.
void check_rows(const std::string& folder, const std::string& name) {
  const auto tokenizer = SiglipTokenizer::load(kHere / "siglip" / folder);
  const Json rows = read_json_file(kHere / "siglip_references.json").at(name);
  REQUIRE(rows.size() > 150);
  CHECK(tokenizer.length() == 64);
  for (const auto& row : rows) {
    INFO(folder << ": " << row.at(0).dump(-1, ' ', true));
    const auto text = row.at(0).get<std::string>();
    CHECK(tokenizer.tokens(text) == row.at(1).get<std::vector<std::int64_t>>());
    auto padded = row.at(2).get<std::vector<std::int64_t>>();
    padded.resize(64, 1);
    CHECK(tokenizer.encode(text) == padded);
  }
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

}  // namespace

TEST_CASE("texts become the ids that transformers' SiglipTokenizer gives them", "[text][siglip_tokenizer]") {
  check_rows("plain", "plain");
  check_rows("rules", "rules");
}

TEST_CASE("a Unigram tokenizer.json gives the ids of its spiece.model", "[text][siglip_tokenizer]") {
  check_rows("json", "rules");
}

TEST_CASE("tokenizer_config.json decides on case, length and padding", "[text][siglip_tokenizer]") {
  const TemporaryFolder folder;
  fs::copy(kHere / "siglip/plain/spiece.model", folder / "spiece.model");
  const auto lower = SiglipTokenizer::load(folder.path());
  write(folder / "tokenizer_config.json", R"({"do_lower_case": false, "model_max_length": 8, "pad_token": "<pad>"})");
  const auto kept = SiglipTokenizer::load(folder.path());
  CHECK(lower.tokens("CAT") == lower.tokens("cat"));
  CHECK(kept.tokens("CAT") != kept.tokens("cat"));
  CHECK(kept.encode("cat") == std::vector<std::int64_t>{kept.tokens("cat")[0], 1, 0, 0, 0, 0, 0, 0});
  CHECK(kept.encode("cat cat cat cat cat cat cat cat cat").back() == 1);
}

TEST_CASE("texts that are no words are refused", "[text][siglip_tokenizer]") {
  const auto tokenizer = SiglipTokenizer::load(kHere / "siglip/plain");
  CHECK_THROWS_WITH(tokenizer.tokens("a </s> b"), Catch::Contains("the special token </s>"));
  CHECK_THROWS_WITH(tokenizer.tokens("a \xff"), Catch::Contains("offset 2"));
}

TEST_CASE("damaged SentencePiece models are refused with file and byte", "[text][siglip_tokenizer]") {
  const TemporaryFolder folder;
  const auto whole = bytes_of(kHere / "siglip/rules/spiece.model");
  const auto load = [&](const std::string& bytes) {
    write(folder / "spiece.model", bytes);
    return SiglipTokenizer::load(folder.path());
  };
  CHECK_NOTHROW(load(whole));
  std::size_t refused = 0;
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    try {
      (void)load(whole.substr(0, length)).tokens("a cat");  // a cut between two fields is a smaller model
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > whole.size() / 7 / 2);
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    auto changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x5a);
    try {
      (void)load(changed).tokens("a \xc3\xa9 cat \xef\xac\x81ne");
    } catch (const Error&) {
    }
  }
  CHECK_THROWS_WITH(load("\x0a\xff\x01"), Catch::Contains("spiece.model: byte"));
  CHECK_THROWS_WITH(load(""), Catch::Contains("unknown"));
  CHECK_THROWS_WITH(SiglipTokenizer::load(folder / "none"), Catch::Contains("no such folder"));
  write(folder / "tokenizer.json", R"({"model": {"type": "BPE"}})");
  fs::remove(folder / "spiece.model");
  CHECK_THROWS_WITH(SiglipTokenizer::load(folder.path()), Catch::Contains("BPE"));
}
