// Which row of a method is shown: chosen on development concepts, shown on the others.
#include "reports/selection.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

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

TEST_CASE("a selection is read from the form of a manifest", "[reports][selection]") {
  const auto best = selection_from({{"development", {"b", "a"}}, {"best", "x.clip_i"}});
  REQUIRE(best);
  CHECK(best->development == std::set<std::string>{"a", "b"});
  CHECK(best->best == "x.clip_i");
  CHECK(selection_from({{"development", {"a"}}, {"step", 7}})->step == 7);
  CHECK_FALSE(selection_from(Json()));
}
