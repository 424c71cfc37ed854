// Drift, prior preservation and diversity through the programs: a finished study is asked for them later.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <map>
#include <nlohmann/json.hpp>

#include "tests/study/study_place.h"

namespace {

using nlohmann::json;

/// The small networks stand for Inception and LPIPS too.
std::string set_encoders() {
  const std::string source = ATELIER_SOURCE_DIR;
  return fmt::format(
      "encoders={{clip: {0}/tests/eval/models/clip_tiny, dino: {0}/tests/parity/models/image_encoders/dino, dinov2: "
      "{0}/tests/parity/models/image_encoders/dino, inception: {0}/tests/parity/models/image_encoders/dino, lpips: "
      "{0}/tests/parity/models/image_encoders/dino, lpips_vgg: {0}/tests/parity/models/image_encoders/dino}}",
      source);
}

std::vector<std::string> asked_for_sets() {
  return {
      "--set", set_encoders(), "--set",
      "evaluate=[{protocol: ti_code, images: 2}, {protocol: class_drift, images: 2, prompts: dreambooth/prior, "
      "side.lpips: 32}, {protocol: div, images: 2, prompts: dreambooth/prior, side.lpips: 32, side.lpips_vgg: 32}]"};
}

std::map<std::string, json> measured_rows(const json& table) {
  std::map<std::string, json> rows;
  for (const auto& row : table["rows"]) {
    for (const auto& [column, cell] : row["cells"].items())
      rows[row["label"].get<std::string>()][column] = cell["mean"];
  }
  return rows;
}

}  // namespace

TEST_CASE("A finished study is measured for drift and diversity, which trains nothing", "[study][drift]") {
  const StudyPlace place(std::string("  textual_inversion: {base: ") + ATELIER_SOURCE_DIR +
                         "/experiments/demo/base, options: {resolution: 32, embedding: {max_train_steps: 2, "
                         "train_batch_size: 2, learning_rate: 0.5}}}");
  REQUIRE(place.run().status == 0);
  auto options = asked_for_sets();
  options.emplace_back("--json");
  const auto counts = json::parse(place.command("plan", options).out)["counts"];
  CHECK(counts["train"] == json{{"jobs", 0}, {"steps", 0}});
  CHECK(counts["generate"] == json{{"jobs", 1}, {"images", 2}});
  CHECK(counts["sample"]["images"] == 2 + 3 * 2);  // its class, and DIV's prompt for the run and both anchors

  const auto done = place.run(asked_for_sets());
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto table = json::parse(place.ask("table", {"--as", "json"}).out);
  auto rows = measured_rows(table);
  const auto& anchor = rows.at("class word (base)");
  CHECK(anchor["class_drift.lpips_paired"] == 0.0);
  CHECK(anchor["class_drift.clip_t_change"] == 0.0);
  CHECK(anchor["class_drift.dino_pres_change"] == 0.0);
  CHECK(anchor["class_drift.dinov2_paired"].get<double>() == Approx(1.0));
  CHECK(anchor["class_drift.fid"].get<double>() == Approx(0.0).margin(1e-6));
  // A learned word leaves everything else as it was.
  CHECK(rows.at("textual_inversion")["class_drift.lpips_paired"] == 0.0);
  CHECK(rows.at("textual_inversion")["class_drift.dino_pres"] == anchor["class_drift.dino_pres"]);
  CHECK(rows.at("textual_inversion")["div.lpips_div"].get<double>() > 0.0);
  CHECK(rows.at("prompt only (base)")["class_drift.kid"].is_null());
  std::string caption;
  for (const auto& sentence : table["caption"]) caption += sentence.get<std::string>() + "\n";
  CHECK_THAT(caption, Catch::Contains("class_drift: KID and FID of 2 pictures against 2"));
}
