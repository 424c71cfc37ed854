#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "framework/core/json.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using atelier::Json;
using atelier::parse_json;
namespace fs = std::filesystem;

namespace {

const std::string kTokenizer = ATELIER_SOURCE_DIR "/tests/data/clip_tokenizer";

std::vector<Json> lines(const std::string& text) {
  std::vector<Json> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) result.push_back(parse_json(line, "line"));
  return result;
}

/// bos, the ids, eos, and eos as padding up to 77: the tokenizer of SD 1.5.
Json padded(std::vector<int> ids) {
  ids.insert(ids.begin(), 49406);
  ids.resize(77, 49407);
  return ids;
}

}  // namespace

TEST_CASE("probe tokenizer prints CLIP's ids, padded to 77", "[cli][tokenizer]") {
  const Outcome outcome = run_atelier({"probe", "tokenizer", "--model", kTokenizer, "--in", "-"}, "a photo of a cat");
  CHECK(outcome.err.empty());
  REQUIRE(lines(outcome.out).size() == 1);
  CHECK(lines(outcome.out)[0] == padded({320, 1125, 539, 320, 2368}));
}

TEST_CASE("probe tokenizer prints one line for each input line, empty ones too, and lines end at \\n only",
          "[cli][tokenizer]") {
  const std::string input =
      "a\n\na\rcat\xE2\x80\xA8"
      "a\x0b"
      "cat\x1c"
      "\n";
  const Outcome outcome = run_atelier({"probe", "tokenizer", "--model", kTokenizer, "--in", "-"}, input);
  const auto rows = lines(outcome.out);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0] == padded({320}));
  CHECK(rows[1] == padded({}));
  CHECK(rows[2][1] == 320);
  CHECK(rows[2][2] == 2368);
}

TEST_CASE("probe tokenizer truncates to 77 and keeps the end", "[cli][tokenizer]") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "cat ";
  const Outcome outcome = run_atelier({"probe", "tokenizer", "--model", kTokenizer, "--in", "-"}, text);
  CHECK(lines(outcome.out)[0] == padded(std::vector<int>(75, 2368)));
}

TEST_CASE("probe tokenizer reads the second tokenizer of a pipeline when asked", "[cli][tokenizer]") {
  const TemporaryFolder folder;
  fs::create_directory_symlink(kTokenizer, folder / "tokenizer");
  fs::create_directory(folder / "tokenizer_2");
  for (const char* name : {"vocab.json", "merges.txt"})
    fs::create_symlink(kTokenizer + "/" + name, folder / "tokenizer_2" / name);
  std::ofstream(folder / "tokenizer_2" / "special_tokens_map.json") << R"({"pad_token": "!"})";  // as in SDXL: id 0
  const auto last = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"probe", "tokenizer", "--model", folder.path().string(), "--in", "-"};
    words.insert(words.end(), more.begin(), more.end());
    return lines(run_atelier(words, "cat").out).at(0).at(76);
  };
  CHECK(last({}) == 49407);
  CHECK(last({"--tokenizer", "tokenizer_2"}) == 0);
}

TEST_CASE("probe tokenizer prints nothing when a line is not UTF-8 or the tokenizer is missing", "[cli][tokenizer]") {
  const Outcome bad = run_atelier({"probe", "tokenizer", "--model", kTokenizer, "--in", "-"}, "a cat\n\xff\n");
  CHECK(bad.code == 2);
  CHECK(bad.out.empty());
  CHECK_THAT(bad.err, Catch::Contains("standard input:2"));
  const TemporaryFolder empty;
  const Outcome missing = run_atelier({"probe", "tokenizer", "--model", empty.path().string(), "--in", "-"}, "a\n");
  CHECK(missing.code == 2);
  CHECK_THAT(missing.err, Catch::Contains("neither a folder 'tokenizer' nor a vocab.json"));
}
