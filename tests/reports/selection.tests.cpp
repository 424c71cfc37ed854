// Which row of a method is shown: chosen on development concepts, shown on the others.
#include "reports/selection.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/store/checked_line.h"
#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace {

/// Two checkpoints of two methods. On cat, the development concept, ti is better at 100 and dco at 200; on the test
/// concepts both are the other way round.
struct Swept : StudyInStore {
  explicit Swept(bool scored = true) {
    for (const auto* subject : {"cat", "dog", "emu"}) {
      const bool development = std::string(subject) == "cat";
      for (const int step : {100, 200}) {
        const auto ti = score_job(run("ti", subject, 0, "ti", step));
        const auto dco = score_job(run("dco", subject, 0, "dco", step));
        publish_scores(ti, development == (step == 100) ? 0.3 : 0.1);
        if (scored || !development || step == 100) publish_scores(dco, development == (step == 200) ? 0.2 : 0.0);
      }
      publish_scores(score_job(run("anchor:class_word", subject, Json(), "class word (sd)")), development ? 0.9 : -0.1);
    }
  }

  Table select(Selection selection) {
    return table({.columns = {"ti_code.clip_i"}, .compare_to = "ti", .select = std::move(selection)});
  }
};

/// A spool with these events, at the times that they name.
void write_spool(const StudyInStore& study, const std::vector<Json>& events) {
  static int spools = 0;
  std::string lines;
  const std::string name = "test" + std::to_string(spools++);
  for (std::size_t n = 0; n < events.size(); ++n) {
    Json event = events[n];
    event["spool"] = name;
    event["n"] = n;
    lines += checked_line(event);
  }
  write_file_atomically(study.store().spool_folder() / (name + ".jsonl"), lines);
}

std::vector<std::string> labels_of_rows(const Table& table) {
  std::vector<std::string> all;
  for (const auto& row : table.rows) all.push_back(row.label);
  return all;
}

}  // namespace

TEST_CASE("the best row on development concepts is shown, on the others alone", "[reports][selection]") {
  Swept study;
  const auto table = study.select({.development = {"cat"}, .best = "ti_code.clip_i"});
  CHECK(labels_of_rows(table) == std::vector<std::string>{"ti @ step 100", "dco @ step 200", "class word (sd)",
                                                          "image only (references)",
                                                          "image only (references, all pairs)"});
  CHECK(*table.rows[0].cells[0].mean == Approx(0.65));  // 0.55 + 0.1: worse there than the other, and still chosen
  CHECK(*table.rows[1].cells[0].mean == Approx(0.55));
  CHECK(*table.rows[2].cells[0].mean == Approx(0.45));
  for (const auto& row : table.rows) CHECK(row.cells[0].concepts_expected == 2);
  CHECK(table.rows[1].cells[0].comparison->concepts == 2);
  CHECK_THAT(to_markdown(table),
             Contains("the row with the greatest ti_code.clip_i over the development concepts; development concepts "
                      "(left out here): cat. Chosen: ti @ step 100 of 2; dco @ step 200 of 2."));
}

TEST_CASE("a fixed step is shown whatever its scores are", "[reports][selection]") {
  Swept study;
  const auto table = study.select({.development = {"cat"}, .step = 100});
  CHECK(labels_of_rows(table)[1] == "dco @ step 100");
  CHECK_THAT(to_markdown(table), Contains("the row with step 100, fixed beforehand"));
}

TEST_CASE("nothing is shown of a method before its development scores are whole", "[reports][selection]") {
  Swept study(false);
  const auto table = study.select({.development = {"cat"}, .best = "ti_code.clip_i"});
  CHECK(labels_of_rows(table)[1] == "dco @ step 100 (none selected yet)");
  CHECK_FALSE(table.rows[1].cells[0].mean);
  CHECK(table.rows[0].cells[0].mean);
}

TEST_CASE("a table tells whether its rule was stored before the pictures of test concepts", "[reports][selection]") {
  StudyInStore study;
  const auto cat = study.sample_job(study.run("ti", "cat", 0, "ti"), {{"p/0", "a {}"}});
  const auto dog = study.sample_job(study.run("ti", "dog", 0, "ti"), {{"p/0", "a {} on the moon"}});
  const auto anchor = study.sample_job(study.run("anchor:class_word", "dog", Json(), "class"), {{"p/0", "a dog"}});
  study.manifest()["tables"]["main"]["select"] = {{"development", {"cat"}}, {"step", 7}};
  const auto made = [](const std::string& key, const std::string& at) {
    return Json{{"type", "published"}, {"key", key}, {"object", "o"}, {"kind", "sample"}, {"attempt", "a"}, {"at", at}};
  };
  const auto table = [&](const std::string& stored, bool test_pictures) {
    const auto digest = study.plan();
    write_spool(study, {{{"type", "manifest"}, {"study", "toy"}, {"manifest", digest}, {"at", stored}}});
    write_spool(study, {made(cat[0], "2026-01-01T08:00:00Z"), made(anchor[0], "2026-01-01T08:00:00Z")});
    if (test_pictures) write_spool(study, {made(dog[0], "2026-01-01T10:00:00Z")});
    return study.table({.columns = {"ti_code.clip_i"}, .select = Selection{.development = {"cat"}, .step = 7}});
  };
  const auto early = table("2026-01-01T09:00:00Z", false);
  CHECK_THAT(to_markdown(early), Contains("no test concept has pictures yet"));
  CHECK(early.selection["chosen"] == Json{{"ti", nullptr}});
  const auto fair = table("2026-01-01T09:30:00Z", true);
  CHECK_THAT(to_markdown(fair), Contains("stored at 2026-01-01T09:00:00Z, before the first picture of a test concept "
                                         "(2026-01-01T10:00:00Z)"));
  CHECK(to_json(fair)["selection"]["test_sets_before"] == 0);

  study.manifest()["tables"]["main"]["select"]["step"] = 8;  // another rule, thought of later
  write_spool(study,
              {{{"type", "manifest"}, {"study", "toy"}, {"manifest", study.plan()}, {"at", "2026-01-02T09:00:00Z"}}});
  const auto late =
      study.table({.columns = {"ti_code.clip_i"}, .select = Selection{.development = {"cat"}, .step = 8}});
  CHECK_THAT(to_markdown(late), Contains("when pictures of test concepts were there already (1 sets of them"));
  CHECK(late.selection["test_sets_before"] == 1);
}

TEST_CASE("a selection is read from the form of a manifest", "[reports][selection]") {
  const auto best = selection_from({{"development", {"b", "a"}}, {"best", "x.clip_i"}});
  REQUIRE(best);
  CHECK(best->development == std::set<std::string>{"a", "b"});
  CHECK(best->best == "x.clip_i");
  CHECK(selection_from({{"development", {"a"}}, {"step", 7}})->step == 7);
  CHECK_FALSE(selection_from(Json()));
}
