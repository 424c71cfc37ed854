// Token ids against transformers (make_references.py), with the first 300 merges of CLIP's vocabulary.
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "framework/core/json.h"
#include "tests/parity/probe.h"

namespace {

std::vector<atelier::Json> rows(std::istream& lines) {
  std::vector<atelier::Json> parsed;
  for (std::string line; std::getline(lines, line);) parsed.push_back(atelier::parse_json(line, "row"));
  return parsed;
}

void check_tokenizer(const std::string& family, const std::string& tokenizer) {
  const auto folder = references_folder() / family;
  const Outcome outcome = run_atelier({"probe", "tokenizer", "--model", models_folder() / family, "--tokenizer",
                                       tokenizer, "--in", folder / (tokenizer + ".in.txt")});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  std::istringstream out(outcome.out);
  std::ifstream reference(folder / (tokenizer + ".out.txt"));
  const auto actual = rows(out);
  const auto expected = rows(reference);
  REQUIRE(expected.size() > 20);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO("line " << i + 1);
    CHECK(actual[i] == expected[i]);
  }
}

}  // namespace

TEST_CASE("The tokenizer of SD 1.5 pads with the end of text and agrees exactly", "[parity][tokenizer]") {
  check_tokenizer("sd15", "tokenizer");
}
TEST_CASE("The tokenizer of SD 2.1 pads with ! and agrees exactly", "[parity][tokenizer]") {
  check_tokenizer("sd21", "tokenizer");
}
TEST_CASE("Both tokenizers of SDXL agree exactly", "[parity][tokenizer]") {
  check_tokenizer("sdxl", "tokenizer");
  check_tokenizer("sdxl", "tokenizer_2");
}
