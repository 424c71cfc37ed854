#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using atelier::Json;
using Catch::Matchers::Contains;

TEST_CASE("base train hands its job to the worker", "[cli][base]") {
  const TemporaryFolder place;
  const std::string recipe = (place / "vae.yaml").string(), out = (place / "base").string();
  std::ofstream(recipe) << "component: vae\n";
  const std::vector<std::string> words{"base", "train", recipe, "--data", place.path().string(), "--out", out};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return run_atelier(more);
  };
  const Outcome plain = with({});
  INFO(plain.err);
  REQUIRE(plain.code == 0);
  Json expected{{"job", "base.train"}, {"recipe", recipe}, {"data", place.path().string()},
                {"out", out},          {"device", "cpu"},  {"dtype", "float32"},
                {"threads", nullptr},  {"steps", nullptr}, {"json", false}};
  CHECK(atelier::parse_json(plain.out, "job") == expected);

  expected.update({{"device", "cuda:0"}, {"dtype", "bfloat16"}, {"threads", 2}, {"steps", 7}, {"json", true}});
  const Outcome full = with({"--device", "cuda:0", "--dtype", "bfloat16", "--threads", "2", "--steps", "7", "--json"});
  CHECK(atelier::parse_json(full.out, "job") == expected);

  CHECK(with({"--steps", "0"}).code == 2);
  CHECK_THAT(with({"--step", "3"}).err, Contains("did you mean '--steps'?"));
  CHECK_THAT(run_atelier({"base", "trainn"}).err, Contains("did you mean 'train'?"));
  CHECK_THAT(run_atelier({"base", "train", out, "--data", out, "--out", out}).err, Contains(out));
}
