// Pictures that drift is measured with: of the class word, and of the base model beside them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/plan/manifest.h"
#include "framework/store/store.h"
#include "tests/framework/plan/study_world.h"

using namespace atelier;
using namespace atelier::tests;
using Catch::Contains;

namespace {

const std::string kEncoders =
    "encoders: {clip: clip, dino: clip, dinov2: clip, inception: clip, lpips: clip, lpips_vgg: clip}\n";

std::string drift_study(const std::string& evaluate, const std::string& more = "") {
  return "study: one\nconcepts: [{name: cat, path: concepts/cat}, {name: vase, path: concepts/vase}]\n"
         "methods:\n"
         "  textreg: {base: base, max_train_steps: 60, ti_train_step: 20}\n"
         "  dco: {base: base, sampler: {reward_guidance: 3.0}}\n"
         "evaluate: [" +
         evaluate + "]\n" + kEncoders + more;
}

std::set<std::string> keys_of(const Json& manifest, const std::string& kind) {
  std::set<std::string> keys;
  for (const Json& job : jobs(manifest, kind)) {
    for (const Json& output : job.at("outputs")) keys.insert(output.at("key").get<std::string>());
  }
  return keys;
}

std::size_t images_of(const std::vector<Json>& drawn) {
  std::size_t images = 0;
  for (const Json& job : drawn) {
    for (const Json& output : job.at("outputs")) images += output.at("seeds").size();
  }
  return images;
}

Json score_of(const Json& manifest, const std::string& method, const std::string& subject,
              const std::string& protocol) {
  for (const Json& job : jobs(manifest, "score")) {
    const Json& content = job.at("job");
    if (content.at("method") == method && content.at("concept").at("name") == subject &&
        content.at("protocol").at("id") == protocol) {
      return job;
    }
  }
  return {};
}

/// A store in which everything of the manifest is there.
Store finished(const PlanWorld& world, const Json& manifest) {
  auto store = Store::create_or_open(world / "store");
  for (const Json& job : manifest.at("jobs")) {
    for (const Json& output : job.at("outputs")) {
      store.publish({.key = output.at("key").get<std::string>(),
                     .description = output.at("description"),
                     .object = store.put("content"),
                     .summary = Json::object(),
                     .divergent = {}});
    }
  }
  return store;
}

}  // namespace

TEST_CASE("pictures of the class show the class word, and the base model's have prompts, seeds and sampler in common",
          "[plan][drift]") {
  StudyWorld world;
  const auto manifest = world.plan(drift_study("{protocol: class_drift, images: 2}"));
  const Json score = score_of(manifest, "dco", "cat", "class_drift");
  REQUIRE(score.at("needs").size() == 2);
  const Json &own = manifest["jobs"][score["needs"][0].get<std::size_t>()],
             &base = manifest["jobs"][score["needs"][1].get<std::size_t>()];
  CHECK(own.at("kind") == "sample");
  CHECK(base.at("kind") == "generate");
  REQUIRE(own.at("outputs").size() == 25);
  REQUIRE(base.at("outputs").size() == 25);
  CHECK(own["outputs"][0]["text"] == "a cat in the jungle");
  CHECK(own["outputs"][0]["base_text"] == "a cat in the jungle");
  CHECK(own["outputs"][0]["prompt_id"] == "class/textreg/evaluation_object/0");
  Json sampler = own["job"]["sampler"];
  CHECK(sampler.erase("reward") == 1);  // of a bare model it is plain guidance
  CHECK(base["job"]["sampler"] == sampler);
  CHECK(base["job"]["plugin"].is_null());
  for (std::size_t i = 0; i < 25; ++i) {
    CHECK(base["outputs"][i]["text"] == own["outputs"][i]["text"]);
    CHECK(base["outputs"][i]["seeds"] == own["outputs"][i]["seeds"]);
    CHECK(score["job"]["sets"][i]["key"] == own["outputs"][i]["key"]);
    CHECK(score["job"]["sets"][i]["beside"] == base["outputs"][i]["key"]);
    CHECK(score["outputs"][0]["description"]["sets"][i]["beside"] == base["outputs"][i]["key"]);
  }
}

TEST_CASE("the base model's pictures are drawn once for every way of sampling, whatever methods and seeds",
          "[plan][drift]") {
  StudyWorld world;
  const auto apart = world.plan(drift_study("{protocol: class_drift, images: 2}"));
  CHECK(jobs(apart, "generate").size() == 6);  // two concepts by the samplers of two methods and of the protocol
  const std::string common = "sampler: {scheduler: ddim, steps: 4, guidance: 3.0}\nseed: [0, 1, 2]\n";
  const auto shared = world.plan(drift_study("{protocol: class_drift, images: 2}", common));
  CHECK(jobs(shared, "generate").size() == 2);
  CHECK(images_of(jobs(shared, "generate")) == 2 * 25 * 2);
  const auto general = world.plan(drift_study("general_drift", common));
  CHECK(jobs(general, "generate").size() == 1);  // no concept is in these
  CHECK(images_of(jobs(general, "generate")) == 200);
}

TEST_CASE("the class word's anchor is its own base model, the others have no drift", "[plan][drift]") {
  StudyWorld world;
  const auto manifest = world.plan(drift_study("{protocol: class_drift, images: 1}"));
  const Json anchor = score_of(manifest, "anchor:class_word", "cat", "class_drift");
  CHECK(anchor.at("needs").size() == 1);
  for (const Json& set : anchor["job"]["sets"]) CHECK(set.at("key") == set.at("beside"));
  CHECK(score_of(manifest, "anchor:prompt_only", "cat", "class_drift").is_null());
}

TEST_CASE("adding measures of sets to a finished study trains nothing and changes no key", "[plan][drift]") {
  StudyWorld world;
  const std::string before = "{protocol: dreambooth, images: 4}";
  const auto first = world.plan(drift_study(before));
  const auto store = finished(world, first);
  REQUIRE(plan_counts(first, &store)["jobs"]["cached"] == first.at("jobs").size());
  const auto second = world.plan(drift_study(before + ", {protocol: class_drift, images: 2}, div, pres"));
  for (const auto* kind : {"train", "sample", "score"}) {
    const auto old = keys_of(first, kind), now = keys_of(second, kind);
    CHECK(std::ranges::includes(now, old));
  }
  const auto counts = plan_counts(second, &store);
  CHECK(counts["train"]["jobs"] == 0);
  CHECK(counts["train"]["steps"] == 0);
  // Each of four runs draws its class: 25 prompts twice, and 64 of PRES. DIV looks at what is there.
  CHECK(counts["sample"]["images"] == 4 * (25 * 2 + 64));
  // Two concepts by three samplers; one method samples as PRES does.
  CHECK(counts["generate"]["images"] == 6 * 25 * 2 + 4 * 64);
}

TEST_CASE("general prompts are two hundred, all different, and name no concept's class", "[plan][drift]") {
  const PromptCatalog catalog(data());
  const auto& prompts = catalog.list("general/drift").prompts;
  CHECK(std::set<std::string>(prompts.begin(), prompts.end()).size() == 200);
  for (const auto& set : {"concepts39", "dreambench"}) {
    for (const auto& entry : read_concept_set(set, data())) {
      const std::string word = " " + entry.facts.class_word + " ";
      const auto named = [&](const std::string& prompt) {
        return (" " + prompt + " ").find(word) != std::string::npos;
      };
      CHECK(std::ranges::none_of(prompts, named));
    }
  }
  for (const auto& prompt : prompts) CHECK(prompt.find("{}") == std::string::npos);
}
