#include <catch2/catch.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/index.h"
#include "framework/store/queries.h"
#include "tests/framework/store/hand_made.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

TEST_CASE("The index knows what a study's jobs made and what failed", "[store][index]") {
  HandMade made;
  made.make_all();
  Index index(made.store);
  CHECK(index.messages().empty());
  CHECK(index.check().empty());

  const auto all = studies(index);
  REQUIRE(all.size() == 1);
  CHECK(all[0].study == "toy");
  CHECK(all[0].manifest == made.manifest_digest);
  CHECK(all[0].runs == 2);
  CHECK(all[0].jobs.done == 3);
  CHECK(all[0].jobs.failed == 1);
  CHECK(all[0].jobs.pending == 0);

  const auto runs = runs_of(index, made.manifest_digest);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].run == "aaaaaaaaaaaa");
  CHECK(runs[0].jobs.done == 3);
  CHECK(runs[1].jobs.failed == 1);
  CHECK(runs[1].seed == 1);

  const auto artifacts = artifacts_of(index, made.manifest_digest, "aaaaaaaaaaaa");
  REQUIRE(artifacts.size() == 3);
  CHECK(artifacts[0].object == made.weights);
  CHECK(artifacts[0].step == 500);
  CHECK(artifacts[1].prompt == "ti/edit/0");
  CHECK(artifacts[2].object == made.table);
  CHECK_FALSE(artifacts[0].divergent);
  CHECK(artifacts_of(index, made.manifest_digest, "bbbbbbbbbbbb").at(0).object.empty());
}

TEST_CASE("The index knows which evaluations a job serves, and which artifacts are a run's own", "[store][index]") {
  HandMade made;
  auto& jobs = made.manifest["jobs"];
  jobs[2]["outputs"][0]["evaluations"] = {"large", "small"};
  jobs[0]["outputs"].push_back({{"key", std::string(64, 'c')}, {"step", 100}});  // another checkpoint's
  made.manifest["runs"][0]["artifacts"] = {key_of(made.train)};
  made.put_manifest();
  Index index(made.store);
  const auto artifacts = artifacts_of(index, made.manifest_digest, "aaaaaaaaaaaa");
  REQUIRE(artifacts.size() == 4);
  CHECK(artifacts[0].own);
  CHECK_FALSE(artifacts[1].own);
  CHECK(artifacts[2].own);
  CHECK(artifacts[0].evaluations.empty());
  CHECK(artifacts[3].evaluations == std::vector<std::string>{"large", "small"});
}

TEST_CASE("A manifest of an earlier version names one evaluation, or the protocol alone", "[store][index]") {
  HandMade made;
  made.put_manifest();
  made.manifest["jobs"][2]["outputs"][0]["protocol"] = "mine";
  const auto second = made.store.put_manifest(made.manifest);
  Index index(made.store);
  const auto names = [&](const std::string& manifest) {
    return artifacts_of(index, manifest, "aaaaaaaaaaaa").at(2).evaluations;
  };
  CHECK(names(made.manifest_digest) == std::vector<std::string>{"ti_code"});
  CHECK(names(second) == std::vector<std::string>{"mine"});
  for (const auto& artifact : artifacts_of(index, second, "aaaaaaaaaaaa")) CHECK(artifact.own);
}

TEST_CASE("A failure is shown by its one-line text, whether its parts were written or the line alone",
          "[store][index]") {
  HandMade made;
  made.make_all();
  {
    Index index(made.store);
    const auto failures = failures_of(index, made.manifest_digest);
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].error == "step 3: NaN; expected a finite loss");
    CHECK(failures[0].failure_class == "method");
    CHECK(failures[0].runs == std::vector<std::string>{"bbbbbbbbbbbb"});
    const auto log = log_of(index, made.manifest_digest, "bbbbbbbbbbbb");
    REQUIRE(log.size() == 2);
    CHECK(log[0].text == "started train on there ");
    CHECK(log[1].level == "error");
    CHECK(log[1].text == "failed (method): step 3: NaN; expected a finite loss");
  }
  Spool spool(made.store);
  spool.write({{"type", "attempt"}, {"attempt", "zzz"}, {"job_keys", {key_of(made.failing)}}});
  spool.write({{"type", "attempt_end"},
               {"attempt", "zzz"},
               {"status", "failed"},
               {"class", "node"},
               {"error", "the worker\ndied"}});
  Index index(made.store);
  const auto failures = failures_of(index, made.manifest_digest);
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].error == "the worker died");
}

TEST_CASE("The scores of a table are rows: pairs by reference, texts, sets, anchors", "[store][index]") {
  HandMade made;
  made.make_all();
  Index index(made.store);
  const auto key = key_of(made.score);
  const auto pairs = index.query("SELECT k, ref, value FROM pair_score WHERE key = ? ORDER BY k, ref", {key});
  REQUIRE(pairs.size() == 4);  // the damaged picture has none
  CHECK(pairs[3] == Row{std::int64_t{1}, std::int64_t{1}, 1.25});
  CHECK(index.query("SELECT k, value FROM text_score WHERE key = ?", {key}) ==
        std::vector<Row>{{std::int64_t{0}, 0.125}, {std::int64_t{1}, 0.75}, {std::int64_t{2}, std::monostate{}}});
  CHECK(index.query("SELECT name, role, value FROM set_score WHERE key = ?", {key}) ==
        std::vector<Row>{{"clip_t_paper", "edit", 0.3}, {"gbar_norm", "edit", 0.9}});
  CHECK(index.query("SELECT status, role FROM scored_image WHERE key = ? AND k = 2", {key}) ==
        std::vector<Row>{{"damaged", "edit"}});
  CHECK(index.query("SELECT name, value FROM anchor") ==
        std::vector<Row>{{"clip_i_all", 0.95}, {"clip_i_distinct", std::monostate{}}});
  CHECK(index.query("SELECT count(*) FROM image WHERE key = ?", {key_of(made.sample)}) ==
        std::vector<Row>{{std::int64_t{3}}});
  CHECK(index.query("SELECT losses, final_loss, bytes FROM loss") ==
        std::vector<Row>{{made.losses, 0.5, std::int64_t{7}}});
}

TEST_CASE("Other bytes under a key are marked", "[store][index]") {
  HandMade made;
  made.make_all();
  Index index(made.store);
  made.publish_other_weights();
  CHECK(index.refresh());
  CHECK(artifacts_of(index, made.manifest_digest, "aaaaaaaaaaaa").at(0).divergent);
}

TEST_CASE("An index that grew in pieces, in any order, equals one that was made at once", "[store][index]") {
  const std::vector<std::function<void(HandMade&)>> steps{
      &HandMade::put_manifest,         &HandMade::publish_train,     &HandMade::publish_sample,
      &HandMade::publish_score,        &HandMade::write_first_spool, &HandMade::write_second_spool,
      &HandMade::publish_other_weights};
  std::vector<std::size_t> order{0, 1, 2, 3, 4, 5, 6};
  for (int turn = 0; turn < 7; ++turn) {
    HandMade made;
    Index grown(made.store, made.folder_ / "grown.sqlite");
    for (const auto step : order) {
      steps[step](made);
      CHECK(grown.refresh());
    }
    const auto text = grown.dump();
    CHECK(Index(made.store, made.folder_ / "once.sqlite").dump() == text);
    grown.rebuild();
    CHECK(grown.dump() == text);
    CHECK_THAT(text, Catch::Contains("step 3: NaN") && Catch::Contains("half way"));
    CHECK(grown.messages().empty());
    std::rotate(order.begin(), order.begin() + 1, order.end());
    std::reverse(order.begin() + turn % 3, order.end());
  }
}

TEST_CASE("A line that is written in two pieces is ingested once, when it is whole", "[store][index]") {
  HandMade made;
  made.put_manifest();
  made.write_first_spool();
  const auto spool = fs::directory_iterator(made.store.spool_folder())->path();
  const auto text = read_text_file(spool);
  write_file_atomically(spool, text.substr(0, text.size() / 2));
  Index index(made.store);
  write_file_atomically(spool, text);
  CHECK(index.refresh());
  CHECK(index.messages().empty());
  CHECK(index.dump() == Index(made.store, made.folder_ / "once.sqlite").dump());
  CHECK(index.query("SELECT count(*) FROM attempt_end") == std::vector<Row>{{std::int64_t{1}}});
}

TEST_CASE("What was removed from the store leaves the index", "[store][index]") {
  HandMade made;
  made.make_all();
  Index index(made.store);
  fs::remove(made.key_file(made.score));
  CHECK(index.refresh());
  CHECK(status_of_manifest(index, made.manifest_digest).pending == 1);
  CHECK(index.query("SELECT * FROM pair_score").empty());
  fs::remove(made.manifest_file());
  CHECK(index.refresh());
  CHECK(studies(index).empty());
  CHECK(index.dump() == Index(made.store, made.folder_ / "once.sqlite").dump());
}

TEST_CASE("Damaged files of a store are told and the rest is read", "[store][index]") {
  HandMade made;
  made.make_all();
  const auto damage = [](const fs::path& file) {
    auto text = read_text_file(file);
    fs::remove(file);
    text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
    write_file_atomically(file, text);
  };
  damage(made.manifest_file());
  damage(made.store.object_path(made.table));
  for (const auto& spool : fs::directory_iterator(made.store.spool_folder())) damage(spool.path());
  Index index(made.store);
  REQUIRE(index.messages().size() == 4);
  CHECK_THAT(index.messages()[0], Catch::StartsWith("keys/" + key_of(made.score)));
  CHECK_THAT(index.messages()[1], Catch::StartsWith("manifests/" + made.manifest_digest));
  CHECK_THAT(index.messages()[2], Catch::StartsWith("spool/") && Catch::Contains("checksum"));
  CHECK(index.query("SELECT kind FROM artifact ORDER BY kind") == std::vector<Row>{{"sample"}, {"train"}});

  // mended, they are read
  fs::remove(made.manifest_file());
  made.put_manifest();
  fs::remove(made.store.object_path(made.table));
  made.publish_score();
  CHECK(index.refresh());
  CHECK(index.query("SELECT place FROM damage WHERE place NOT LIKE 'spool/%'").empty());
  CHECK(studies(index).size() == 1);
  CHECK_FALSE(index.query("SELECT * FROM score").empty());
}

TEST_CASE("Manifests and tables of strange content do not stop the others", "[store][index]") {
  HandMade made;
  made.make_all();
  const Json strange{{"study", 3},
                     {"runs", {Json::object(), Json::object(), 7}},
                     {"jobs", {{{"outputs", {Json::object(), "x"}}, {"runs", {1}}}, Json()}}};
  static_cast<void>(made.store.put_manifest(strange));
  static_cast<void>(made.store.put_manifest(Json::array()));
  const Json description{{"kind", "score"}, {"strange", true}};
  const Json set{{"scores", {{"a", "b"}}}};
  const auto table = made.store.put(
      Json{{"sets", {set, set}}, {"images", {Json::object(), Json::object(), 1}}, {"anchors", 3}}.dump());
  made.store.publish({key_of(description), description, table, 5, {}});
  Spool spool(made.store);
  for (const Json& event : {Json{{"type", 5}}, Json{{"type", "attempt"}, {"attempt", 1}}, Json{{"type", "attempt_end"}},
                            Json{{"type", "manifest"}}, Json{{"type", "published"}, {"key", Json::array()}}}) {
    spool.write(event);
  }
  Index index(made.store);
  CHECK(index.messages().empty());
  CHECK(studies(index).size() == 2);  // "toy", and those without a name
  CHECK(status_of_manifest(index, made.manifest_digest).done == 3);
}
