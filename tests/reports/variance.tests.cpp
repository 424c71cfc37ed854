// Numbers: tests/reports/variance_reference.py.
#include "reports/variance.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace {

std::vector<std::vector<RunValue>> runs_of(const std::vector<std::vector<double>>& concepts,
                                           std::optional<double> pictures) {
  std::vector<std::vector<RunValue>> all;
  for (const auto& values : concepts) {
    auto& runs = all.emplace_back();
    for (const double value : values) runs.push_back({value, pictures});
  }
  return all;
}

}  // namespace

TEST_CASE("variance between concepts, seeds and pictures is told apart by moments", "[reports][variance]") {
  const std::vector<std::vector<double>> values{{0.70, 0.72, 0.69}, {0.60, 0.66}, {0.81}, {0.55, 0.50, 0.58, 0.57}};
  const auto parts = variance_parts(runs_of(values, 0.0002));
  REQUIRE(parts);
  CHECK(parts->concepts == Approx(0.01169560185185186).epsilon(1e-12));
  CHECK(parts->seeds == Approx(0.0008111111111111111).epsilon(1e-12));
  CHECK(parts->pictures == Approx(0.0002));
  const auto unknown = variance_parts(runs_of(values, {}));
  CHECK(unknown->seeds == Approx(0.001011111111111111).epsilon(1e-12));
  CHECK_FALSE(unknown->pictures);
  CHECK(variance_parts(runs_of(values, 1.0))->seeds == 0.0);  // a negative estimate
}

TEST_CASE("one seed of each concept, or one concept, has no components", "[reports][variance]") {
  CHECK_FALSE(variance_parts(runs_of({{0.1}, {0.2}}, {})));
  CHECK_FALSE(variance_parts(runs_of({{0.1, 0.2}, {}}, {})));
  CHECK_FALSE(variance_parts({}));
}

TEST_CASE("the pictures' part is of the mean over prompts of means", "[reports][variance]") {
  const std::vector<PromptScores> prompts{{3, 0.6, 0.25 + 0.36 + 0.49}, {2, 0.3, 0.04 + 0.16}};
  CHECK(*picture_variance(prompts) == Approx(0.0033333333333333335).epsilon(1e-12));
  CHECK_FALSE(picture_variance(std::vector<PromptScores>{{2, 0.5, 0.5}, {1, 0.2, 0.04}}));
  CHECK_FALSE(picture_variance({}));
}

TEST_CASE("a table of several seeds has the components beside it, in every form", "[reports][variance]") {
  StudyInStore study;
  for (const auto& [subject, shift] : {std::pair("cat", 0.0), std::pair("dog", 0.3)}) {
    for (const int seed : {0, 1}) {
      study.publish_scores(study.score_job(study.run("t<i>", subject, seed, "t<i>")), shift + 0.2 * seed);
    }
  }
  const auto table = study.table({.columns = {"ti_code.clip_t"}});
  // Runs: 0.2 and 0.4, 0.5 and 0.7: W = 0.02; pictures (0 + 0.02 / 2) / 4 = 0.0025; between 0.045 - 0.02 / 2.
  const auto& parts = table.rows[0].cells[0].variance;
  REQUIRE(parts);
  CHECK(parts->seeds == Approx(0.0175));
  CHECK(parts->concepts == Approx(0.035));
  CHECK_THAT(to_markdown(table), Contains("| t\\<i> | 0.1871 / 0.1323 / 0.0500 |"));
  CHECK_THAT(to_tex(table), Contains("t\\textless{}i\\textgreater{} & 0.1871 / 0.1323 / 0.0500 \\\\"));
  CHECK_THAT(to_html(table), Contains("t&lt;i&gt;</th><td>0.1871 / 0.1323 / 0.0500</td>"));
  CHECK(to_json(table)["rows"][0]["cells"]["ti_code.clip_t"]["variance"]["seeds"].get<double>() == parts->seeds);
  const auto once = study.table({.columns = {"ti_code.clip_t"}, .over = {"concept"}});
  CHECK(once.sides.empty());
}
