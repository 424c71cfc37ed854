#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/study/study_place.h"

using nlohmann::json;

TEST_CASE("A study goes from photos to a table, and a second call does nothing and says so", "[study]") {
  const StudyPlace place(both_methods("1e-2"));
  const auto first = place.run();
  INFO(first.err);
  REQUIRE(first.status == 0);
  CHECK_THAT(first.out, Catch::Contains("0 failed"));
  const auto table = place.ask("table");
  CHECK(table.status == 0);
  CHECK_THAT(table.out,
             Catch::Contains("textual_inversion") && Catch::Contains("textreg") && Catch::Contains("ti_code.clip_i"));
  const auto losses = place.ask("table", {"--losses"});
  CHECK(losses.status == 2);
  CHECK_THAT(losses.err, Catch::Contains("no training measured its loss on fixed photos"));
  const auto published = place.published();
  const auto second = place.run();
  CHECK(second.status == 0);
  CHECK_THAT(second.out, Catch::Contains("nothing to do"));
  CHECK(place.published() == published);
  CHECK(place.ask("table").out == table.out);

  const auto status = json::parse(place.ask("status", {"--json"}).out);
  CHECK(status["state"] == "done");
  const std::string run = status["runs"][0]["run"];
  const auto shown = run_atelier({"show", run, "--store", place.store(), "--json"});
  CHECK(json::parse(shown.out)["artifacts"].size() > 2);
  CHECK(run_atelier({"logs", run, "--store", place.store()}).status == 0);

  const auto why = run_atelier({"why", "small/textreg/ti_code.clip_i", "--store", place.store(), "--json"});
  const auto cell = json::parse(why.out);
  for (const auto& row : json::parse(place.ask("table", {"--as", "json"}).out)["rows"]) {
    if (row["label"] == "textreg") CHECK(row["cells"][0]["mean"] == cell["mean"]);
  }
  REQUIRE(cell["concepts"].size() == 1);
  CHECK(cell["concepts"][0]["value"] == cell["mean"]);
  const auto& behind = cell["concepts"][0]["runs"].at(0);
  for (const char* kind : {"scores", "pictures"}) {
    CHECK_FALSE(behind[kind].empty());
    for (const auto& key : behind[kind]) CHECK(published.contains(key.get<std::string>()));
  }
  const auto in_words = run_atelier({"why", "small/textreg/ti_code.clip_i", "--store", place.store()});
  CHECK_THAT(in_words.out, Catch::Contains("ti_code.clip_i of textreg in small: ") && Catch::Contains("cat2: "));
  const auto unknown = run_atelier({"why", "small/textrag/ti_code.clip_i", "--store", place.store()});
  CHECK(unknown.status == 2);
  CHECK_THAT(unknown.err, Catch::Contains("did you mean \"textreg\"?"));

  std::ifstream file(place.study());
  std::string text{std::istreambuf_iterator<char>(file), {}};
  text.replace(text.find("max_train_steps: 6"), 18, "max_train_steps: 7");
  const std::string other = place.folder() / "other.yaml";
  std::ofstream(other) << text;
  const auto difference = json::parse(place.command("plan", {"--diff", other, "--json"}).out);
  CHECK(difference["appear"].empty());
  CHECK(difference["vanish"].empty());
  CHECK(difference["same"] == 3);  // textual inversion and two anchors
  REQUIRE(difference["change"].size() == 1);
  CHECK(difference["change"][0]["label"] == "textreg");
  CHECK_THAT(difference["change"][0]["reasons"].dump(), Catch::Contains("step"));
  CHECK_THAT(place.command("plan", {"--diff", other}).out,
             Catch::Contains("change: 1 runs: ") && Catch::Contains("the same: 3 runs"));
}

TEST_CASE("With fixed_loss the loss on fixed photos is measured for each stage, and the artifacts are the same",
          "[study]") {
  const StudyPlace plain(both_methods("1e-2")), measured(both_methods("1e-2"), "fixed_loss: 2");
  REQUIRE(plain.run().status == 0);
  REQUIRE(measured.run().status == 0);
  CHECK(measured.published() == plain.published());
  const auto losses = measured.ask("table", {"--losses"});
  CHECK(losses.status == 0);
  for (const char* stage :
       {"| textual_inversion embedding step 4 |", "| textreg ti step 3 |", "| textreg ut step 3 |"}) {
    CHECK_THAT(losses.out, Catch::Contains(stage));
  }
}

TEST_CASE("A table made from a rebuilt index is the same, byte for byte", "[study]") {
  const StudyPlace place(both_methods("1e-2"));
  REQUIRE(place.run().status == 0);
  const auto before = place.ask("table", {"--as", "csv"});
  REQUIRE(run_atelier({"reindex", "--store", place.store()}).status == 0);
  CHECK(place.ask("table", {"--as", "csv"}).out == before.out);
}

TEST_CASE("With learning rate 0 a trained row equals the untrained one exactly", "[study]") {
  const StudyPlace place(both_methods("0.0"), "checkpoints: {textual_inversion: [0, 4], textreg: [0, 6]}");
  const auto done = place.run();
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto table = json::parse(place.ask("table", {"--as", "json"}).out);
  std::map<std::string, std::vector<json>> rows;  // method -> cells of each checkpoint
  for (const auto& row : table["rows"]) {
    if (row["kind"] != "method") continue;
    json values = json::array();
    for (const auto& cell : row["cells"]) values.push_back(cell["mean"]);
    rows[row["axes"]["method"]].push_back(values);
  }
  REQUIRE(rows.size() == 2);
  for (const auto& [method, cells] : rows) {
    INFO(method);
    REQUIRE(cells.size() == 2);
    CHECK(cells[0] == cells[1]);
    CHECK_FALSE(cells[0][0].is_null());
  }
}

TEST_CASE("A sweep over an option of the second stage trains the first one once", "[study]") {
  const StudyPlace place(both_methods("1e-2"),
                         "sweep: [{when: {method: textreg}, grid: {text_reg_beta_weight: [0.01, 0.1]}}]");
  const auto plan = json::parse(place.command("plan", {"--json"}).out);
  int first_stage = 0, second_stage = 0;
  for (const auto& job : plan["jobs"]) {
    if (job["kind"] != "train") continue;
    if (job["needs"].empty() && job["runs"].size() == 2) ++first_stage;
    if (!job["needs"].empty()) ++second_stage;
  }
  CHECK(first_stage == 1);
  CHECK(second_stage == 2);
}

TEST_CASE("A study with faults starts nothing and lists them all", "[study]") {
  const StudyPlace place(both_methods("1e-2"), "evalute: [ti_code]\nseed: x");
  const auto refused = place.run();
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::Contains("evalute") && Catch::Contains("seed"));
}

TEST_CASE("Two evaluations by one protocol are both scored, shown and exported", "[study]") {
  const std::string base = ATELIER_SOURCE_DIR "/experiments/demo/base";
  const StudyPlace place("  textual_inversion: {base: " + base +
                         ", options: {resolution: 32, embedding: {max_train_steps: 1, train_batch_size: 1}}}");
  const auto done =
      place.run({"--set",
                 "evaluate=[{name: a, protocol: ti_code, images: 1}, {name: b, protocol: ti_code, images: "
                 "1}, {name: large, protocol: ti_code, images: 1, size: 72}]"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto table = json::parse(place.ask("table", {"--as", "json"}).out);
  for (const auto& row : table["rows"]) {
    if (row["kind"] != "method") continue;
    const auto mean = [&](const char* column) { return row["cells"][column]["mean"]; };
    CHECK_FALSE(mean("a.clip_i").is_null());
    CHECK(mean("b.clip_i") == mean("a.clip_i"));
    CHECK_FALSE(mean("large.clip_i").is_null());
    CHECK(mean("large.clip_i") != mean("a.clip_i"));
  }
  const std::string out = place.folder() / "pictures";
  REQUIRE(place.ask("export", {"--images", "--out", out}).status == 0);
  const auto folder = std::filesystem::path(out) / "textual_inversion" / "cat2" / "seed0";
  CHECK(std::filesystem::exists(folder / "ti_evaluation_reconstruction_0.a+b" / "000.png"));
  CHECK(std::filesystem::exists(folder / "ti_evaluation_reconstruction_0.large" / "000.png"));
}
