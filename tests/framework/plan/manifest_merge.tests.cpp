// "My subject in my style" as runs, jobs and keys.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/plan/keys.h"
#include "framework/plan/manifest.h"
#include "tests/framework/plan/study_world.h"

using namespace atelier;
using namespace atelier::tests;

namespace {

const std::string kMethods = R"(study: merged
concepts: [{name: cat, path: concepts/cat}, {name: vase, path: concepts/vase}]
methods:
  mine: {method: dco, base: base, concepts: [cat]}
  style: {method: dco, base: base, preset: style, concepts: [vase]}
)";
const std::string kBoth = "  both: {merge: {subject: mine, style: style, weights: [1, 0.5]";
const std::string kEvaluated = "evaluate: [{protocol: ti_code, images: 2}]\nencoders: {clip: clip}\n";

std::vector<Json> runs_with(const Json& manifest, const std::string& label) {
  std::vector<Json> found;
  for (const auto& run : manifest.at("runs")) {
    if (run.at("method") == label) found.push_back(run);
  }
  return found;
}

}  // namespace

TEST_CASE("a merge is a job after both trainings, whose artifact its pictures are sampled with", "[plan][merge]") {
  StudyWorld world;
  const auto manifest = world.plan(kMethods + kBoth + "}}\n" + kEvaluated);
  REQUIRE(jobs(manifest, "train").size() == 2);
  const auto merges = jobs(manifest, "merge");
  REQUIRE(merges.size() == 1);
  const auto& merge = merges.front();
  const Json subject = jobs(manifest, "train")[0]["outputs"][0]["key"];
  const Json style = jobs(manifest, "train")[1]["outputs"][0]["key"];
  CHECK(merge.at("needs") == Json::array({jobs(manifest, "train")[0]["id"], jobs(manifest, "train")[1]["id"]}));
  CHECK(merge["job"]["subject"] == subject);
  CHECK(merge["job"]["style"] == style);
  CHECK(merge["job"]["weights"] == Json::array({1.0, 0.5}));
  CHECK(merge["job"]["method"] == "dco");
  const Json& output = merge["outputs"][0];
  CHECK(output["key"] == key_of(output["description"]));
  CHECK(output["description"] == merge_description({.subject = subject.get<std::string>(),
                                                    .style = style.get<std::string>(),
                                                    .subject_weight = 1,
                                                    .style_weight = 0.5,
                                                    .as = "concat",
                                                    .rank = {}}));
  const auto runs = runs_with(manifest, "both");
  REQUIRE(runs.size() == 1);
  CHECK(runs[0]["concept"] == "cat");
  CHECK(runs[0]["label"] == "both style=vase");
  CHECK(runs[0]["row"] == Json{{"method", "both"}, {"style", "vase"}});
  CHECK(runs[0]["artifacts"] == Json::array({subject, style, output["key"]}));
  for (const auto* kind : {"train", "merge", "sample", "score"}) {
    std::size_t of_run = 0;
    for (const auto& job : jobs(manifest, kind)) {
      const bool serves = std::ranges::count(job.at("runs"), runs[0]["id"]) > 0;
      of_run += serves ? 1 : 0;
      if (serves && job["kind"] == "sample") {
        CHECK(job["job"]["artifact"] == output["key"]);
        CHECK(job["needs"] == Json::array({merge["id"]}));
        CHECK(job["outputs"][0]["text"] == "A photo of cat in vase style");  // dco of the tests has no token
      }
      if (serves && job["kind"] == "score") {
        CHECK(job["job"]["references"][0]["path"].get<std::string>().find("concepts/cat/") != std::string::npos);
      }
    }
    CHECK(of_run == (std::string(kind) == "train" ? 2 : 1));
  }
}

TEST_CASE("merges that ask for the same share one job; weights, form and rank are in its key", "[plan][merge]") {
  StudyWorld world;
  const auto manifest =
      world.plan(kMethods + kBoth + "}}\n" +
                 "  again: {merge: {subject: mine, style: style, weights: [1, 0.5], phrase: '{style} {subject}'}}\n" +
                 "  heavier: {merge: {subject: mine, style: style}}\n  thin: {merge: {subject: mine, style: style, as: "
                 "svd, rank: 4}}\n" +
                 "  thinner: {merge: {subject: mine, style: style, as: svd, rank: 2}}\n" + kEvaluated);
  CHECK(jobs(manifest, "train").size() == 2);
  CHECK(jobs(manifest, "merge").size() == 4);
  std::set<std::string> keys;
  for (const auto& job : jobs(manifest, "merge")) keys.insert(job["outputs"][0]["key"].get<std::string>());
  CHECK(keys.size() == 4);
  CHECK(runs_with(manifest, "again")[0]["artifacts"] == runs_with(manifest, "both")[0]["artifacts"]);
  CHECK(plan_counts(manifest, nullptr).at("merge").at("jobs") == 4);
  // 2 trained, 5 merged, 2 anchors of each concept; the trained runs' jobs are as without the merges.
  CHECK(manifest["runs"].size() == 2 + 5 + 4);
  const auto alone = world.plan(kMethods + kEvaluated);
  CHECK(jobs(alone, "train")[0]["outputs"] == jobs(manifest, "train")[0]["outputs"]);
  CHECK(jobs(alone, "train")[1]["outputs"] == jobs(manifest, "train")[1]["outputs"]);
}

TEST_CASE("a merge takes the last step of methods with checkpoints", "[plan][merge]") {
  StudyWorld world;
  const auto manifest = world.plan(kMethods + kBoth + "}}\ncheckpoints: [500, 1000]\n");
  CHECK(runs_with(manifest, "mine").size() == 2);
  REQUIRE(runs_with(manifest, "both").size() == 1);
  CHECK(runs_with(manifest, "both")[0]["checkpoint"].is_null());
  const auto train = jobs(manifest, "train");
  REQUIRE(train.size() == 2);
  for (const auto& output : train[0]["outputs"]) {
    if (output["step"] == 1000) CHECK(jobs(manifest, "merge")[0]["job"]["subject"] == output["key"]);
  }
}

TEST_CASE("two parts with one word for their concepts are refused where the merge stands", "[plan][merge]") {
  StudyWorld world;
  auto spec = dco_spec();
  spec.name = "worded";
  spec.options.push_back(option("placeholder_token", OptionType::text, "<it>"));
  spec.phrases = {{.when = {}, .text = "{placeholder} {class}", .base = "{class}"}};
  world.install(spec);
  const std::string methods = R"(study: merged
concepts: [{name: cat, path: concepts/cat}, {name: vase, path: concepts/vase}]
methods:
  mine: {method: worded, base: base, concepts: [cat]}
  style: {method: worded, base: base, concepts: [vase])";
  const std::string merge = "}\n  both: {merge: {subject: mine, style: style}}\n";
  const auto refused = message([&] { (void)world.plan(methods + merge); });
  CHECK_THAT(refused, Catch::Contains("study.yaml:6:40") && Catch::Contains("the same word for their concepts, <it>"));
  const auto manifest = world.plan(methods + ", placeholder_token: <how>" + merge + kEvaluated);
  const auto& sampled = jobs(manifest, "sample");
  const auto of_merge = std::ranges::find_if(sampled, [&](const Json& job) {
    return job["job"]["artifact"] == jobs(manifest, "merge")[0]["outputs"][0]["key"];
  });
  REQUIRE(of_merge != sampled.end());
  CHECK((*of_merge)["outputs"][0]["text"] == "A photo of <it> cat in <how> vase style");
  CHECK((*of_merge)["outputs"][0]["base_text"] == "A photo of cat in vase style");
}
