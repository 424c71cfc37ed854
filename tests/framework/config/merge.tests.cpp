// Merged methods of a study, and the concepts of a method.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/config/study.h"
#include "framework/config/study_merge.h"
#include "tests/framework/config/known.h"

using namespace atelier;

namespace {

const std::string kSubjectInStyle = R"(study: s
concepts: [photos/cat, photos/dog, photos/flat, photos/oil]
methods:
  both: {merge: {subject: mine, style: style, weights: [1, 0.8], as: svd, rank: 4, phrase: "{subject} as {style}"}}
  mine: {method: dco, base: sd15, concepts: [cat, dog], sampler: {steps: 7}}
  style: {method: dco, base: sd15, preset: style, concepts: [flat, oil]}
  plain: {merge: {subject: mine, style: style}, sampler: {steps: 9}}
)";

Study merging(const std::string& more) { return read_study(kSubjectInStyle + more, "s.yaml", {}, tests::known()); }

std::vector<Cell> cells_of(const std::vector<Cell>& cells, const std::string& label) {
  std::vector<Cell> found;
  std::ranges::copy_if(cells, std::back_inserter(found), [&](const Cell& cell) { return cell.label == label; });
  return found;
}

}  // namespace

TEST_CASE("a merged method has every subject with every style, and a method its own concepts", "[config][merge]") {
  const auto cells = merging("").cells;
  CHECK(cells_of(cells, "mine").size() == 2);
  CHECK(cells_of(cells, "style").size() == 2);
  const auto both = cells_of(cells, "both");
  REQUIRE(both.size() == 4);
  std::set<std::pair<std::string, std::string>> pairs;
  for (const auto& cell : both) {
    REQUIRE(cell.parts.size() == 2);
    CHECK(cell.method == "dco");
    CHECK(cell.subject == cell.parts[0].subject);
    CHECK(cell.assigned == Json{{"style", cell.parts[1].subject}});
    CHECK(cell.parts[1].options.at("rank") == 64);
    pairs.emplace(cell.subject, cell.parts[1].subject);
  }
  CHECK(pairs == std::set<std::pair<std::string, std::string>>{
                     {"cat", "flat"}, {"cat", "oil"}, {"dog", "flat"}, {"dog", "oil"}});
}

TEST_CASE("merged cells are of one seed, or have a part with a single one", "[config][merge]") {
  const auto all = merging("seeds: [0, 1, 2]\n").cells;
  const auto both = cells_of(all, "both");
  CHECK(both.size() == 4 * 3);
  for (const auto& cell : both) {
    CHECK(cell.seed == cell.parts[0].seed);
    CHECK(cell.seed == cell.parts[1].seed);
  }
  const auto some = merging("sweep: [{when: {method: style}, grid: {seed: [3, 4], rank: [2, 3]}}]\n").cells;
  const auto with_styles = cells_of(some, "both");
  CHECK(with_styles.size() == 2 * 2 * 4);
  std::set<std::string> places;
  for (const auto& cell : with_styles) {
    CHECK(cell.seed == cell.parts[1].seed);
    CHECK(cell.assigned.at("style.rank") == cell.parts[1].options.at("rank"));
    places.insert(cell.subject + std::to_string(cell.seed) + cell.assigned.dump());
  }
  CHECK(places.size() == with_styles.size());
}

TEST_CASE("a merge arrives as it was written, and samples as its subject unless it says otherwise", "[config][merge]") {
  const auto study = merging("");
  const auto& merge = *study.methods[0].merge;
  CHECK(merge.subject == "mine");
  CHECK(merge.subject_weight == 1.0);
  CHECK(merge.style_weight == 0.8);
  CHECK(merge.as == "svd");
  CHECK(merge.rank == 4);
  CHECK(merge.phrase == "{subject} as {style}");
  CHECK(study.methods[0].sampler->steps == 7);
  CHECK(study.methods[3].sampler->steps == 9);
  CHECK(study.methods[3].merge->as == "concat");
  CHECK(study.methods[3].merge->phrase == "{subject} in {style} style");
}

TEST_CASE("a resolved study merges the same cells", "[config][merge]") {
  const auto study = merging("seeds: [0, 1]\n");
  const auto resolved = resolved_study(study);
  const auto again = read_study(pretty_json(resolved), "again", {}, tests::known());
  CHECK(resolved_study(again) == resolved);
  const auto first = study.cells, second = again.cells;
  CHECK(cells_of(first, "both").size() == 8);
  for (const auto* label : {"mine", "style", "both", "plain"}) {
    CHECK(cells_of(first, label).size() == cells_of(second, label).size());
  }
}

TEST_CASE("styles and the options of both methods are axes of a table", "[config][merge]") {
  const std::string table =
      "evaluate: [ti_code]\ntables: {main: {rows: [method, style, mine.rank], columns: [seconds]}}\n";
  CHECK(merging(table).tables.at("main").rows.size() == 3);
}

TEST_CASE("a method learns low-rank updates when its last stage reads their rank", "[config][merge]") {
  auto spec = tests::dco_spec();
  const Json options = resolve_options(spec, "", Json::object(), "test");
  CHECK(learns_low_rank(spec, options));
  StageSpec more;
  more.name = "more";
  more.runs_when = {{.option = "rank", .value = 8}};
  spec.stages.push_back(more);
  CHECK(learns_low_rank(spec, options));
  spec.stages.back().runs_when.clear();
  CHECK_FALSE(learns_low_rank(spec, options));
}
