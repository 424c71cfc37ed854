// Prior preservation in studies, on the toy model: images of the class are drawn, shared, kept and read again.
#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/study/study_place.h"

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string kToyBase = ATELIER_SOURCE_DIR "/experiments/demo/base";
const std::string kCatPhotos = ATELIER_SOURCE_DIR "/tests/eval/pictures/references/cat2";

/// TextReg's prior-preservation baselines and DreamBooth, a few steps each, on the same three images.
std::string prior_methods(const std::string& source) {
  return fmt::format(R"(  textreg:
    base: {0}
    preset: prior_gen
    options: {{resolution: 32, initializer_id: 300, ti_train_step: 1, max_train_steps: 3, lora_rank: 2,
              class_images: {1}, num_class_images: 3}}
  dreambooth:
    base: {0}
    options: {{resolution: 32, with_prior_preservation: true, class_images: {1}, num_class_images: 3,
              class_prompt: "a photo of a {{}}",
              finetune: {{max_train_steps: 2, learning_rate: 1e-3}}}})",
                     kToyBase, source);
}

std::map<std::string, int> kinds(const json& plan) {
  std::map<std::string, int> counts;
  for (const auto& job : plan["jobs"]) ++counts[job["kind"]];
  return counts;
}

json planned(const StudyPlace& place) { return json::parse(place.command("plan", {"--json"}).out); }

/// The objects of a study's trainings.
std::set<std::string> trained(const StudyPlace& place) {
  std::set<std::string> objects;
  const auto published = place.published();
  const auto plan = planned(place);
  for (const auto& job : plan["jobs"]) {
    if (job["kind"] != "train") continue;
    for (const auto& key : job["keys"]) objects.insert(published.at(key));
  }
  return objects;
}

}  // namespace

TEST_CASE("Two methods with prior preservation share the images that the base model draws", "[study][class_images]") {
  const StudyPlace place(prior_methods("generated"));
  const auto before = planned(place);
  CHECK(kinds(before)["generate"] == 1);
  CHECK(kinds(before)["train"] == 3);
  CHECK(before["counts"]["generate"] == json{{"jobs", 1}, {"images", 3}});
  CHECK_THAT(place.command("plan").out, Catch::Contains("1 jobs that draw images (3 images)"));

  const auto first = place.run();
  INFO(first.err);
  REQUIRE(first.status == 0);
  CHECK_THAT(first.err, Catch::Contains("generate \"a photo of a man\""));
  const auto published = place.published();
  const auto second = place.run();
  CHECK_THAT(second.out, Catch::Contains("nothing to do"));
  CHECK(place.published() == published);
  CHECK(planned(place)["counts"]["jobs"]["cached"] == planned(place)["counts"]["jobs"]["total"]);

  // What looks at stores knows them.
  const auto status = json::parse(place.ask("status", {"--json"}).out);
  CHECK(status["state"] == "done");
  bool shown = false;
  for (const auto& run : status["runs"]) {
    if (run["method"] != "dreambooth") continue;
    const auto show = json::parse(run_atelier({"show", run["run"], "--store", place.store(), "--json"}).out);
    for (const auto& artifact : show["artifacts"]) {
      if (artifact["kind"] != "generate") continue;
      shown = true;
      CHECK(artifact["prompt"] == "a photo of a man 0-2");
      CHECK(artifact["summary"]["images"] == 3);
    }
  }
  CHECK(shown);
  const auto verified = run_atelier({"verify", "--store", place.store()});
  INFO(verified.out << verified.err);
  CHECK(verified.status == 0);
  const auto table = place.ask("table", {"--as", "csv"}).out;
  REQUIRE(run_atelier({"reindex", "--store", place.store()}).status == 0);
  CHECK(place.ask("table", {"--as", "csv"}).out == table);
  REQUIRE(run_atelier({"gc", "--store", place.store()}).status == 0);
  CHECK(place.published() == published);
}

TEST_CASE("A given folder takes the place of drawn images, and the training is another", "[study][class_images]") {
  const StudyPlace drawn(prior_methods("generated"));
  const std::vector<std::string> folder{
      "--set",
      fmt::format("concepts=[{{name: cat2, path: {0}, class: man, initializer: man, class_images: {0}}}]", kCatPhotos)};
  const StudyPlace given(prior_methods("given"));
  const auto refused = given.run();
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::Contains("cat2 has none") && Catch::Contains("class_images: generated"));
  const auto done = given.run(folder);
  INFO(done.err);
  REQUIRE(done.status == 0);
  const auto plan = json::parse(given.command("plan", {folder[0], folder[1], "--json"}).out);
  CHECK(kinds(plan)["generate"] == 0);
  REQUIRE(drawn.run().status == 0);
  const auto theirs = trained(drawn);
  const auto ours = given.published();
  std::size_t same = 0;
  for (const auto& job : plan["jobs"]) {
    if (job["kind"] == "train" && theirs.contains(ours.at(job["keys"][0]))) ++same;
  }
  CHECK(same == 1);  // TextReg's first stage, which uses none
}

TEST_CASE("train draws images of the class where they are needed, or reads those of a folder",
          "[study][train][class_images]") {
  const TemporaryFolder folder;
  const auto train = [&](const std::string& out, std::vector<std::string> more) {
    std::vector<std::string> words{"train",   "dreambooth",     "--images", kCatPhotos,  "--class",
                                   "man",     "--base",         kToyBase,   "--device",  "cpu",
                                   "--store", folder / "store", "--out",    folder / out};
    more.insert(more.end(), {"--set", "resolution=32", "finetune.max_train_steps=1"});
    words.insert(words.end(), more.begin(), more.end());
    return run_atelier(words);
  };
  const auto refused = train("none", {"--class-images", kCatPhotos});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Catch::Contains("--class-images") && Catch::Contains("with_prior_preservation=true"));
  const auto drawn = train("drawn", {"--set", "with_prior_preservation=true", "num_class_images=1"});
  INFO(drawn.err);
  REQUIRE(drawn.status == 0);
  CHECK_THAT(drawn.err, Catch::Contains("generate \"a photo of man\""));
  const auto given = train("given", {"--class-images", kCatPhotos, "--set", "with_prior_preservation=true"});
  INFO(given.err);
  REQUIRE(given.status == 0);
  CHECK_THAT(given.err, !Catch::Contains("generate"));
  CHECK(fs::file_size(fs::path(folder / "drawn") / "artifact.safetensors") > 0);
  const TemporaryFolder empty;
  const auto nothing = train("x", {"--class-images", empty.path(), "--set", "with_prior_preservation=true"});
  CHECK(nothing.status == 2);
  CHECK_THAT(nothing.err, Catch::Contains("no pictures"));
}
