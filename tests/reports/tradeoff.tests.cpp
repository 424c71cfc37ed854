// Identity against text as numbers, and published numbers beside ours. Numbers: tests/reports/tradeoff_reference.py.
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "reports/detectable.h"
#include "reports/tradeoff_measures.h"
#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace {

PublishedTable paper(const std::string& protocol, std::vector<std::string> columns) {
  return {.id = "p_t1",
          .title = "Paper <1>",
          .protocol = protocol,
          .setting = "3 concepts",
          .source = "its text",
          .columns = std::move(columns),
          .rows = {{"Theirs", {0.9, 0.4}}, {"Older & worse", {0.5, std::nullopt}}}};
}

struct TwoMethods : StudyInStore {
  TwoMethods() {
    for (const auto& [subject, shift] : {std::pair("cat", 0.0), std::pair("dog", 0.02), std::pair("emu", 0.03)}) {
      publish_scores(score_job(run("ti", subject, 0, "ti")), shift);
      publish_scores(score_job(run("dco", subject, 0, "dco")), 2 * shift);
    }
  }
};

}  // namespace

TEST_CASE("the hypervolume is the area that the points dominate", "[reports][tradeoff]") {
  const std::vector<TradeoffPoint> points{{0.30, 0.60}, {0.25, 0.70}, {0.20, 0.65}, {0.35, 0.40}, {0.10, 0.90}};
  CHECK(hypervolume(points, {0.15, 0.45}) == Approx(0.0325).epsilon(1e-12));
  CHECK(hypervolume(points, {0.5, 0.5}) == 0.0);
  CHECK(hypervolume({}, {0.0, 0.0}) == 0.0);
}

TEST_CASE("identity at a level of text is linear between the points of a sweep", "[reports][tradeoff]") {
  const std::vector<TradeoffPoint> sweep{{0.30, 0.50}, {0.20, 0.80}, {0.26, 0.55}};
  CHECK(*identity_at(sweep, 0.20) == Approx(0.8));
  CHECK(*identity_at(sweep, 0.23) == Approx(0.675));
  CHECK(*identity_at(sweep, 0.29) == Approx(0.5125));
  CHECK_FALSE(identity_at(sweep, 0.31));
  CHECK_FALSE(identity_at(sweep, 0.19));
  CHECK_FALSE(identity_at({}, 0.2));
}

TEST_CASE("dominance is the share of draws above on both axes", "[reports][tradeoff]") {
  const std::vector<TradeoffPoint> d{{0.02, 0.01}, {-0.01, 0.03}, {0.01, -0.02}, {0.03, 0.02}, {-0.02, 0.01}};
  CHECK(dominance(d) == 0.6381);
  CHECK(dominance(std::vector<TradeoffPoint>{{0.1, 0.1}}) == 1.0);
  CHECK(dominance(std::vector<TradeoffPoint>{{0.1, 0.0}}) == 0.0);
}

TEST_CASE("a detectable difference is that of the t approximation", "[reports][statistics]") {
  CHECK(*detectable_difference(0.151, 30) == Approx(0.0799332910122237).epsilon(1e-9));
  CHECK(*detectable_difference(0.069, 30) == Approx(0.0365258084757843).epsilon(1e-9));
  CHECK(*detectable_difference(1.0, 2) == Approx(9.95789252156148).epsilon(1e-9));
  CHECK(*detectable_difference(0.1, 39) == Approx(0.0460460823384954).epsilon(1e-9));
  CHECK_FALSE(detectable_difference(0.1, 1));
}

TEST_CASE("sign flips of twenty concepts are counted exactly", "[reports][statistics]") {
  std::vector<double> d;
  for (int i = 0; i < 20; ++i) d.push_back(0.001 * ((7 * i * i + 3 * i) % 41 - 12));
  CHECK(compare_paired(d, 10).p == 1972 / 1048576.0);
  // evaluation.md 11, test 9
  CHECK(compare_paired(std::vector<double>{.02, -.01, .05, .03, 0, .04}).p == 0.125);
}

TEST_CASE("identity and text together, as tables beside", "[reports][tradeoff]") {
  StudyInStore study;
  for (const auto& [subject, shift] : {std::pair("cat", 0.0), std::pair("dog", 0.02)}) {
    study.publish_scores(study.score_job(study.run("ti", subject, 0, "ti")), shift);
    for (const auto& [step, gain] : {std::pair(100, 0.1), std::pair(200, 0.3)}) {
      auto scores = StudyInStore::scores(shift + gain);
      scores["anchors"]["clip_t"] = 0.1;  // image only
      study.publish(study.score_job(study.run("dco", subject, 0, "dco", step)), scores.dump());
    }
    study.publish_scores(study.score_job(study.run("anchor:prompt_only", subject, Json(), "prompt only (sd)")), -0.3);
  }
  const auto table =
      study.table({.columns = {"ti_code.clip_i", "ti_code.clip_t"}, .compare_to = "ti", .tradeoff = true});
  REQUIRE(table.sides.size() == 2);
  const auto& points = table.sides[0];
  CHECK(points.heads == std::vector<std::string>{"row", "√(identity · text)", "hypervolume", "above in both"});
  // dco at 200: cat √(0.85 · 0.5) = 0.65192, dog √(0.87 · 0.52) = 0.67261.
  CHECK_THAT(points.title, Contains("the area of ti_code.clip_i and ti_code.clip_t"));
  // From (0.1, 0.25) on: (0.51 - 0.1) (0.86 - 0.25), the other point lies below; of ti (0.21 - 0.1) (0.56 - 0.25).
  CHECK(points.rows[0] == std::vector<std::string>{"ti", "0.3429 ± 0.0112", "0.0341", "–"});
  CHECK(points.rows[2] == std::vector<std::string>{"dco @ step 200", "0.6623 ± 0.0103", "0.2501", "1.0000"});
  // Texts 0.31 and 0.51: levels 0.36, 0.41, 0.46; both axes rise together.
  const auto& sweep = table.sides[1];
  CHECK(sweep.heads == std::vector<std::string>{"method", "0.3600", "0.4100", "0.4600"});
  CHECK_THAT(sweep.rows[0][1], Catch::StartsWith("0.7100 [") && Contains("(2 of 2)"));
  CHECK_THAT(to_markdown(table), Contains("| ti | 0.3429 ± 0.0112 | 0.0341 | – |"));
  CHECK_THAT(to_tex(table), Contains("$\\surd$(identity $\\cdot$ text)"));
}

TEST_CASE("what a training cost is not compared, and changes no corrected p", "[reports][tradeoff]") {
  TwoMethods study;
  TableRequest request{.columns = {"ti_code.clip_i", "ti_code.clip_t"}, .compare_to = "ti"};
  const auto bare = study.table(request);
  request.costs = true;
  const auto table = study.table(request);
  REQUIRE(table.rows[1].cells.size() == 6);
  CHECK(table.rows[1].cells[0].comparison->p_holm == bare.rows[1].cells[0].comparison->p_holm);
  CHECK_FALSE(table.rows[1].cells[2].comparison);
  CHECK_THAT(to_markdown(table), Contains("Δ ti_code.clip_t | minutes | peak_memory |"));
  CHECK_THAT(to_csv(table), Contains("ti_code.clip_t.p_holm") && !Contains("minutes.p_holm"));
}

TEST_CASE("published numbers stand in a column of their protocol, and are not ranked", "[reports][published]") {
  TwoMethods study;
  TableRequest request{.columns = {"ti_code.clip_i", "ti_code.clip_t"}};
  request.published = {paper("ti_code", {"clip_i", "clip_t"})};
  const auto table = study.table(request);
  const auto row = std::ranges::find(table.rows, "Theirs, published", &TableRow::label);
  REQUIRE(row != table.rows.end());
  CHECK(row->kind == "published");
  CHECK(*row->cells[0].mean == 0.9);
  CHECK(*row->cells[1].mean == 0.4);
  CHECK(table.sides.empty());
  CHECK_THAT(to_markdown(table), Contains("| Theirs, published | 0.9000 | 0.4000 |") &&
                                     Contains("| dco | **0.5833**") &&
                                     Contains("| Older & worse, published | 0.5000 | – |") &&
                                     Contains("Published, by other programs: Paper \\<1>: 3 concepts (protocol "
                                              "ti_code; its text)."));
  CHECK_THAT(to_html(table), Contains("Older &amp; worse, published"));
}

TEST_CASE("numbers of another protocol stand beside, never in our columns", "[reports][published]") {
  TwoMethods study;
  TableRequest request{.columns = {"ti_code.clip_i"}};
  request.published = {paper("core_masked", {"clip_i", "clip_t"})};
  const auto table = study.table(request);
  CHECK(std::ranges::none_of(table.rows, [](const TableRow& row) { return row.kind == "published"; }));
  REQUIRE(table.sides.size() == 1);
  CHECK(table.sides[0].rows[1] == std::vector<std::string>{"Older & worse", "0.5", "–"});
  CHECK_THAT(table.sides[0].title, Contains("not comparable") && Contains("protocol core_masked"));
  request.published = {paper("core_masked", {"ti_code.clip_i", "clip_t"})};
  CHECK_THROWS_WITH(study.table(request), Contains("published p_t1: column ti_code.clip_i") &&
                                              Contains("numbers of the protocol core_masked") &&
                                              Contains("two protocols never share a column"));
}

TEST_CASE("another method, or a rebuilt index, changes no number that was there", "[reports][table]") {
  TwoMethods study;
  const TableRequest request{.columns = {"ti_code.clip_i", "ti_code.clip_t"}};
  const auto lines = [](const Table& table) {
    std::map<std::string, std::string> all;
    const Json json = to_json(table);
    for (const auto& row : json["rows"]) all[row["label"]] = row["cells"].dump();
    return all;
  };
  const auto before = lines(study.table(request));
  study.publish_scores(study.score_job(study.run("new", "cat", 0, "new")), 0.7);
  static_cast<void>(study.score_job(study.run("hole", "dog", 0, "hole")));
  const auto table = study.table(request);
  const auto after = lines(table);
  CHECK(after.size() == before.size() + 2);
  for (const auto& [label, cells] : before) CHECK(after.at(label) == cells);
  const auto every_form = [](const Table& made) {
    return to_markdown(made) + to_csv(made) + to_tex(made) + to_html(made) + to_json(made).dump();
  };
  study.index().rebuild();
  CHECK(every_form(study.table(request)) == every_form(table));
}
