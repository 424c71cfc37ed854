// Reward guidance as an axis of a study: sampled and scored for every scale, trained once.
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/study/study_place.h"

using nlohmann::json;

namespace {

std::string dco_method() {
  return std::string("  dco: {base: ") + ATELIER_SOURCE_DIR +
         "/experiments/demo/base, options: {resolution: 32, rank: 4, initializer_token: man, max_train_steps: 4, "
         "text_encoder_lr: 0.1, dcoloss_beta: 1.0, subject: {learning_rate: 0.02}}}";
}

std::vector<std::string> with_rewards(const std::string& scales) {
  return {"--set", "sampler={scheduler: euler, steps: 2, guidance: 3.0, reward_guidance: " + scales +
                       ", settings: {timestep_spacing: leading, steps_offset: 1}}"};
}

/// Reward -> the means of its row; "" for rows without that axis.
std::map<std::string, json> rows_of(const json& table) {
  std::map<std::string, json> rows;
  for (const auto& row : table["rows"]) {
    json means = json::array();
    for (const auto& cell : row["cells"]) means.push_back(cell["mean"]);
    const json axis = row["axes"].value("reward_guidance", json());
    rows[row["kind"] == "anchor" ? row["label"].get<std::string>() : axis.is_null() ? "" : axis.dump()] = means;
  }
  return rows;
}

}  // namespace

TEST_CASE("A study sweeps reward guidance over one training; 0 is the base model, none another sampler",
          "[study][reward]") {
  const StudyPlace place(dco_method());
  const auto first = place.run(with_rewards("3"));
  INFO(first.err);
  REQUIRE(first.status == 0);
  auto options = with_rewards("[null, 0, 3]");
  options.emplace_back("--json");
  const auto counts = json::parse(place.command("plan", options).out)["counts"];
  CHECK(counts["runs"] == 3 + 2);
  CHECK(counts["train"]["jobs"] == 0);
  CHECK(counts["train"]["steps"] == 0);
  CHECK(counts["sample"]["jobs"] == 2);  // without reward and with 0; that of 3 and the anchors are there

  const auto done = place.run(with_rewards("[null, 0, 3]"));
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto rows = rows_of(json::parse(place.ask("table", {"--as", "json"}).out));
  REQUIRE(rows.contains("\"none\""));
  REQUIRE(rows.contains("0.0"));
  REQUIRE(rows.contains("3.0"));
  CHECK(rows.at("0.0") == rows.at("class word (base)"));
  CHECK(rows.at("\"none\"") != rows.at("0.0"));
  CHECK(rows.at("3.0") != rows.at("0.0"));
  CHECK(rows.at("3.0") != rows.at("\"none\""));
}
