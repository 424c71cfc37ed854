#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using atelier::Json;

namespace {

struct MeasurePlace {
  MeasurePlace() {
    std::filesystem::create_directories(folder / "data");
    std::filesystem::create_directories(folder / "base");
    std::ofstream(folder / "quality.yaml") << "vae: {scenes: test, psnr: 27}\n";
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (folder / name).string(); }
  [[nodiscard]] Outcome run(std::vector<std::string> more) const {
    std::vector<std::string> words{"base",         "measure", *this / "quality.yaml", "--data",
                                   *this / "data", "--base",  *this / "base"};
    words.insert(words.end(), more.begin(), more.end());
    return run_atelier(words);
  }
  TemporaryFolder folder;
};

}  // namespace

TEST_CASE("base measure hands its job to the worker", "[cli][base]") {
  const MeasurePlace place;
  const Json plain = {{"job", "base.measure"},  {"quality", place / "quality.yaml"},
                      {"data", place / "data"}, {"base", place / "base"},
                      {"only", Json::array()},  {"pictures", nullptr},
                      {"device", "cpu"},        {"dtype", "float32"},
                      {"threads", nullptr},     {"json", false}};
  CHECK(atelier::parse_json(place.run({}).out, "job") == plain);
  Json full = plain;
  full["only"] = {"vae", "swaps"};
  full["pictures"] = place / "sheets";
  full["device"] = "cuda:0";
  full["dtype"] = "bfloat16";
  full["threads"] = 2;
  full["json"] = true;
  const Outcome outcome = place.run({"--only", "vae", "--only", "swaps", "--pictures", place / "sheets", "--device",
                                     "cuda:0", "--dtype", "bfloat16", "--threads", "2", "--json"});
  CHECK(atelier::parse_json(outcome.out, "job") == full);
}

TEST_CASE("base measure refuses wrong usage", "[cli][base]") {
  const MeasurePlace place;
  const auto refused = [&](const std::vector<std::string>& more, const std::string& part) {
    const Outcome outcome = place.run(more);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Catch::Contains(part));
  };
  refused({"--only", "unet"}, "--only");
  refused({"--threads", "0"}, "--threads");
  refused({"--pictures", place / "quality.yaml"}, "--pictures");
  const Outcome outcome =
      run_atelier({"base", "measure", place / "nowhere.yaml", "--data", place / "data", "--base", place / "base"});
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Catch::Contains("nowhere.yaml"));
}
