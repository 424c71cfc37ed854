// `convert` and `merge`: what they print and refuse; the files themselves are tested with the formats.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using atelier::Json;
using atelier::parse_json;
using Catch::Contains;

namespace {

const std::string kLora = ATELIER_SOURCE_DIR "/tests/parity/artifacts/pytorch_lora_weights.safetensors";
const std::string kToken = ATELIER_SOURCE_DIR "/tests/parity/artifacts/learned_embeds.safetensors";

}  // namespace

TEST_CASE("convert --list prints every pair, as text and as JSON", "[cli][convert]") {
  const Outcome text = run_atelier({"convert", "--list"});
  const Outcome json = run_atelier({"convert", "--list", "--json"});
  REQUIRE(text.code == 0);
  REQUIRE(json.code == 0);
  const Json listed = parse_json(json.out, "list");
  CHECK(listed["pairs"].size() >= 50);
  for (const Json& pair : listed["pairs"]) {
    const auto from = pair["from"].get<std::string>(), to = pair["to"].get<std::string>();
    std::string line = from;
    line.resize(19, ' ');
    line += to;
    line.resize(38, ' ');
    line += pair["holds"].get<std::string>() + (pair["needs_model"].get<bool>() ? ", with --model\n" : "\n");
    INFO(line);
    CHECK_THAT(text.out, Contains("\n" + line));
  }
}

TEST_CASE("convert reports what it wrote, and merge too", "[cli][convert][merge]") {
  const TemporaryFolder folder;
  const auto out = (folder / "lora.safetensors").string();
  const Outcome converted = run_atelier({"convert", kLora, "--to", "peft", "--out", out, "--json"});
  REQUIRE(converted.code == 0);
  const Json report = parse_json(converted.out, "report");
  CHECK(report["from"] == Json::array({"diffusers"}));
  CHECK(report["layers"].get<std::size_t>() * 2 == atelier::read_safetensors(out).tensors.size());
  const auto both = (folder / "both").string();
  const Outcome merged = run_atelier({"merge", out + ":0.5", kLora, kToken, "--out", both, "--json"});
  REQUIRE(merged.code == 0);
  CHECK(parse_json(merged.out, "merged") ==
        Json({{"out", both}, {"as", "concat"}, {"layers", report["layers"]}, {"tokens", {"<cat-toy>"}}}));
  CHECK(atelier::read_safetensors(both + "/learned_embeds.safetensors").tensors.contains("<cat-toy>"));
}

TEST_CASE("convert and merge refuse with one line that says what to do", "[cli][convert][merge]") {
  const TemporaryFolder folder;
  const auto out = (folder / "x.safetensors").string();
  struct Row {
    std::vector<std::string> words;
    std::string message;
  };
  const std::vector<Row> rows{{{"convert"}, "no FILE"},
                              {{"convert", kLora, "--out", out}, "no --to"},
                              {{"convert", kLora, "--to", "peft"}, "no --out"},
                              {{"convert", kLora, "--to", "khoya", "--out", out}, "kohya"},
                              {{"convert", kLora, "--to", "artifact", "--out", out}, "a dialect or a method"},
                              {{"convert", kLora, "--to", "kohya", "--out", out}, "--model"},
                              {{"convert", kLora, "--to", "a1111", "--out", out}, "--list"},
                              {{"merge", kLora + ":x", "--out", out}, "the weight 'x'"},
                              {{"merge", kLora, "--as", "sum", "--out", out}, "--model"},
                              {{"merge", kLora, kToken, "--out", out}, "a folder"},
                              {{"merge", kToken, kToken, "--out", out}, "--token NAME"}};
  for (const Row& row : rows) {
    const Outcome outcome = run_atelier(row.words);
    INFO(outcome.err);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains(row.message) && Contains("atelier: "));
    CHECK_FALSE(std::filesystem::exists(out));
  }
}
