#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/json.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Contains;

TEST_CASE("stats writes its file, and has one exit code for every error", "[cli][stats]") {
  const TemporaryFolder folder;
  const auto scores = [&](const std::string& name, double value) {
    const std::string path = folder / (name + ".json");
    const Json image{{"concept", "cat"}, {"prompt", "p"}, {"k", 0}, {"scores", {{"clip_i", value}}}};
    write_file_atomically(path, Json{{"schema", "x/1"}, {"name", name}, {"images", Json::array({image})}}.dump());
    return path;
  };
  const auto a = scores("a", 0.5), b = scores("b", 0.25);
  const std::string out = folder / "out.json";
  const Outcome done = run_atelier({"stats", "compare", "--in", a, "--in", b, "--out", out});
  INFO(done.err);
  REQUIRE(done.code == 0);
  const Json found = parse_json(read_text_file(out), out)["comparisons"][0];
  CHECK(found["diff"] == 0.25);
  CHECK(found["p"] == 1.0);
  CHECK(found["se"].is_null());
  std::filesystem::remove(out);
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong{
      {{"stats"}, "subcommand"},
      {{"stats", "compare", "--in", a, "--out", out}, "at least two"},
      {{"stats", "compare", "--in", a, "--in", b, "--out", out, "--bogus"}, "--bogus"},
      {{"stats", "compare", "--in", a, "--in", b, "--out", out, "--margin", "clip_i"}, "METRIC=NUMBER"},
      {{"stats", "summary", "--in", a, "--metric", "dino_i", "--out", out}, "clip_i"}};
  for (const auto& [words, message] : wrong) {
    const Outcome outcome = run_atelier(words);
    INFO(outcome.err);
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.err, Contains(message));
    CHECK_FALSE(std::filesystem::exists(out));
  }
}
