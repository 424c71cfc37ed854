#include "reports/by_concept.h"

#include <catch2/catch.hpp>

#include "framework/core/error.h"
#include "tests/reports/study_in_store.h"

using namespace atelier;
using namespace atelier::reports;
using atelier::tests::StudyInStore;
using Catch::Contains;

namespace {

/// Three seeds of "ti" on each concept, moved by these, and a class word at 0.
Table table_of(StudyInStore& study, const std::map<std::string, std::vector<double>>& shifts) {
  for (const auto& [subject, seeds] : shifts) {
    study.publish_scores(study.score_job(study.run("anchor:class_word", subject, Json(), "class word (sd)")), 0.0);
    for (std::size_t seed = 0; seed < seeds.size(); ++seed) {
      study.publish_scores(study.score_job(study.run("ti", subject, seed, "ti")), seeds[seed]);
    }
  }
  return study.table({.columns = {"ti_code.clip_i"}});
}

}  // namespace

TEST_CASE("a row is above another where its mean over seeds is by more than two standard errors",
          "[reports][by_concept]") {
  StudyInStore study;
  // mean and standard error: 0.04 and 0.0115; 0.02 and 0.0115 (less than two); -0.05 and 0.0058; one seed does not
  // count
  const auto counts = by_concept(
      table_of(
          study,
          {{"cat", {0.02, 0.04, 0.06}}, {"cup", {0.0, 0.02, 0.04}}, {"dog", {-0.06, -0.05, -0.04}}, {"fish", {0.5}}}),
      "class word");
  CHECK(counts.against == "class word (sd)");
  REQUIRE(counts.rows.size() == 1);
  const auto& count = counts.rows[0].counts.at(0);
  CHECK(count.above == 1);
  CHECK(count.below == 1);
  CHECK(count.concepts == 3);
  CHECK(count.difference == Approx((0.04 + 0.02 - 0.05) / 3));
  CHECK_THAT(to_markdown(counts), Contains("| ti | 1 above, 1 below of 3; +0.0033 |"));
}

TEST_CASE("a row that is not there, or not one, is named with those that are", "[reports][by_concept]") {
  StudyInStore study;
  const auto table = table_of(study, {{"cat", {0.0, 0.1}}});
  CHECK_THROWS_WITH(by_concept(table, "prompt only"), Contains("class word (sd)"));
  CHECK_THROWS_WITH(by_concept(table, ""), Contains("several rows"));
}
