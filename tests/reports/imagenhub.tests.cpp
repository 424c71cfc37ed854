// What was computed before from scores and ratings that others published (evaluation.md 11.9), computed here. Scores:
// make_imagenhub_items.py; expected: paired differences of the means of 30 subjects, each over 5 prompts.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/json.h"
#include "reports/score_comparison.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::reports;

namespace {

struct Published {
  std::string other, metric;
  double diff, sd, se, ci_low, ci_high;
};

const std::vector<Published> kPublished{
    {"BLIPDiffusion_Gen", "clip_i", -0.027, 0.069, 0.013, -0.052, -0.002},
    {"BLIPDiffusion_Gen", "dino_i", -0.023, 0.151, 0.027, -0.078, 0.027},
    {"BLIPDiffusion_Gen", "human", 0.223, 0.251, 0.046, 0.138, 0.316},
    {"TextualInversion", "clip_i", 0.145, 0.11, 0.02, 0.108, 0.184},
    {"TextualInversion", "dino_i", 0.239, 0.195, 0.036, 0.168, 0.307},
    {"TextualInversion", "human", 0.307, 0.261, 0.048, 0.217, 0.4},
    {"DreamBoothLora", "clip_i", 0.093, 0.058, 0.011, 0.074, 0.113},
    {"DreamBoothLora", "dino_i", 0.248, 0.161, 0.029, 0.193, 0.305},
    {"DreamBoothLora", "human", 0.441, 0.307, 0.056, 0.332, 0.55},
};

/// As a file of scores: picture i is of subject i / 5 and prompt i % 5.
ScoreFile score_file(const std::filesystem::path& folder, const std::string& method, const Json& items,
                     const Json& columns) {
  Json images = Json::array();
  for (std::size_t i = 0; i < items.size(); ++i) {
    Json scores = Json::object();
    for (std::size_t k = 0; k < columns.size(); ++k) scores[columns[k].get<std::string>()] = items[i][k];
    images.push_back(
        {{"concept", std::to_string(i / 5)}, {"prompt", std::to_string(i % 5)}, {"k", 0}, {"scores", scores}});
  }
  const auto path = folder / (method + ".json");
  write_file_atomically(path, Json{{"schema", "atelier.scores/1"}, {"name", method}, {"images", images}}.dump());
  return read_score_file(path);
}

Json comparisons_with_dreambooth() {
  const TemporaryFolder folder;
  const Json all = read_json_file(std::string(ATELIER_SOURCE_DIR) + "/tests/reports/imagenhub_items.json");
  std::vector<ScoreFile> files;
  for (const auto* method : {"DreamBooth", "BLIPDiffusion_Gen", "TextualInversion", "DreamBoothLora"}) {
    files.push_back(score_file(folder.path(), method, all.at(method), all.at("columns")));
  }
  return compare_scores(files, {}).at("comparisons");
}

}  // namespace

TEST_CASE("published scores of 600 pictures give the differences that were found from them before",
          "[reports][stats]") {
  const Json found = comparisons_with_dreambooth();
  for (const auto& row : kPublished) {
    INFO(row.other << ", " << row.metric);
    const auto match = std::ranges::find_if(found, [&row](const Json& each) {
      return each["a"] == "DreamBooth" && each["b"] == row.other && each["metric"] == row.metric;
    });
    REQUIRE(match != found.end());
    const auto value = [&match](const char* key) { return match->at(key).get<double>(); };
    CHECK(value("n_concepts") == 30);
    CHECK(value("diff") == Approx(row.diff).margin(0.0006));
    CHECK(value("se") == Approx(row.se).margin(0.0006));
    CHECK(value("se") * std::sqrt(30.0) == Approx(row.sd).margin(0.0006));
    CHECK(value("ci_low") == Approx(row.ci_low).margin(0.003));  // another generator's draws
    CHECK(value("ci_high") == Approx(row.ci_high).margin(0.003));
  }
}
