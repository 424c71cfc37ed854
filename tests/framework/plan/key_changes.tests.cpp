#include "framework/plan/key_changes.h"

#include <catch2/catch.hpp>
#include <map>

#include "framework/plan/keys.h"
#include "framework/plan/run_stages.h"
#include "framework/store/store.h"
#include "tests/framework/plan/study_world.h"

using namespace atelier;
using namespace atelier::tests;

namespace {

std::vector<std::string> change_texts(const std::vector<KeyChange>& changes) {
  std::vector<std::string> texts;
  for (const auto& change : changes) texts.push_back(change_text(change));
  return texts;
}

std::vector<std::string> changes_between(const Json& before, const Json& after) {
  return change_texts(key_changes(before, after, [](const std::string&) { return std::nullopt; }));
}

const std::string kFirstDigest(64, '1'), kSecondDigest(64, '2'), kThirdDigest(64, '3');

}  // namespace

TEST_CASE("Every part of a training's key that changes is named in words, with both values", "[plan][why]") {
  TrainIngredients in;
  StageSpec stage;
  stage.name = "ut";
  in.stage = &stage;
  in.method = "textreg";
  in.options = {{"ut.learning_rate", 1e-4}};
  in.photos = {{{"sha256", kFirstDigest}, {"caption", "a"}}, {{"sha256", kSecondDigest}, {"caption", "b"}}};
  in.base = kThirdDigest;
  in.numerics_class = {{"device", "cpu"}, {"dtype", "float32"}, {"threads", 1}, {"torch", "2.11"}};
  in.subject = {{"class_word", "cat"}};
  const Json before = train_description(in, 10);
  const auto one = [&](auto change) {
    TrainIngredients other = in;
    StageSpec raised = stage;
    other.stage = &raised;
    change(other, raised);
    const auto all = changes_between(before, train_description(other, 10));
    REQUIRE(all.size() == 1);
    return all.front();
  };
  CHECK(one([](auto& t, auto&) { t.options["ut.learning_rate"] = 4e-4; }) ==
        "option ut.learning_rate: 0.0001 → 0.0004");
  CHECK(one([](auto& t, auto&) { t.photos[1]["caption"] = "c"; }) == "caption of photo 2: \"b\" → \"c\"");
  CHECK(one([](auto& t, auto&) { t.photos[0]["sha256"] = kThirdDigest; }) == "photo 1: 111111111111… → 333333333333…");
  CHECK(one([](auto& t, auto&) { t.photos.erase(0); }) == "photos: 1 removed (111111111111)");
  CHECK(one([](auto& t, auto&) { t.base = kFirstDigest; }) == "base model: 333333333333… → 111111111111…");
  CHECK(one([](auto& t, auto&) { t.numerics_class["threads"] = 2; }) == "threads of a worker: 1 → 2");
  CHECK(one([](auto& t, auto&) { t.numerics_class["torch"] = "2.12"; }) == "LibTorch's version: \"2.11\" → \"2.12\"");
  CHECK(one([](auto&, auto& s) { s.numerics = 2; }) == "numerics of the stage: 1 → 2");
  CHECK(one([](auto& t, auto&) { t.seed = 3; }) == "seed: 0 → 3");
  CHECK(one([](auto& t, auto&) { t.total_steps = 90; }) == "steps of the whole training: none → 90");
  CHECK(one([](auto& t, auto&) { t.subject["class_word"] = "dog"; }) == "concept's class_word: \"cat\" → \"dog\"");
}

TEST_CASE("A key of something that changed is replaced by what changed in it, told once", "[plan][why]") {
  const auto train = [](double rate) {
    return Json{{"kind", "train"}, {"method", "m"}, {"stage", "s"}, {"step", 5}, {"options", {{"rate", rate}}}};
  };
  const auto sample = [](const Json& training, const char* prompt) {
    return Json{{"kind", "sample"}, {"artifact", key_of(training)}, {"prompt", prompt}};
  };
  std::map<std::string, Json> known;
  const auto add = [&](const Json& description) {
    known[key_of(description)] = description;
    return description;
  };
  const auto score = [&](double rate) {
    Json sets = Json::array();
    for (const char* prompt : {"x", "y"}) sets.push_back({{"images", key_of(add(sample(add(train(rate)), prompt)))}});
    return Json{{"kind", "score"}, {"sets", sets}};
  };
  const Json before = score(0.5), after = score(0.25);
  const auto changes = key_changes(before, after, [&](const std::string& key) -> std::optional<Json> {
    return known.contains(key) ? std::optional(known.at(key)) : std::nullopt;
  });
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].through == std::vector<std::string>{"pictures of \"x\"", "train m/s step 5"});
  CHECK(change_text(changes[0]) == "option rate: 0.5 → 0.25; in train m/s step 5");
  CHECK(changes_between(before, after).size() == 2);  // where nothing is known, the keys themselves
}

TEST_CASE("Of what is in the store the thing of the same cell that is most alike is compared with", "[plan][why]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto train = [](int step, double rate, int seed) {
    return Json{{"kind", "train"}, {"method", "m"}, {"stage", "s"},
                {"step", step},    {"seed", seed},  {"options", {{"rate", rate}, {"rank", rate > 1 ? 8 : 4}}}};
  };
  const auto put = [&](const Json& description, const char* run, int seed) {
    (void)store.publish({key_of(description), description, store.put(description.dump()), Json::object(), {}});
    (void)store.put_manifest(
        {{"study", "old"},
         {"runs", {{{"id", run}, {"method", "m"}, {"concept", "cat"}, {"seed", seed}, {"label", "m"}}}},
         {"jobs",
          {{{"id", 0},
            {"kind", "train"},
            {"runs", {run}},
            {"outputs", {{{"key", key_of(description)}, {"description", description}, {"step", 5}}}}}}}});
  };
  put(train(5, 2.0, 0), "far", 0);        // two options differ
  put(train(5, 0.5, 0), "near", 0);       // one
  put(train(9, 1.0, 0), "elsewhere", 0);  // another step
  put(train(5, 1.0, 1), "other", 1);      // of another cell, though only the seed differs
  Index index(store);
  const Json run{{"method", "m"}, {"concept", "cat"}, {"seed", 0}};
  const auto found = nearest_stored(index, train(5, 1.0, 0), run);
  REQUIRE(found);
  CHECK(found->description == train(5, 0.5, 0));
  const auto alone = nearest_stored(index, train(5, 1.0, 7), {{"method", "m"}, {"concept", "dog"}, {"seed", 7}});
  REQUIRE(alone);  // nothing of its cell: the most alike of its kind
  CHECK(alone->description == train(5, 1.0, 1));
  CHECK_FALSE(nearest_stored(index, {{"kind", "merge"}}, run));
}

TEST_CASE("What another placement, photo or option changes of a planned study is found through all its stages",
          "[plan][why]") {
  StudyWorld world;
  const std::string text =
      "study: s\nconcepts: [{name: cat, path: concepts/cat}]\nmethods: {textreg: {base: base}}\n"
      "evaluate: [ti_code]\nencoders: {clip: clip}\nplacement: {device: cpu, threads: 1}\n";
  const Json before = world.plan(text);
  const auto differences = [&](const Json& after) {
    std::map<std::string, Json> known;
    for (const Json* manifest : {&before, &after}) {
      for (const Json& job : manifest->at("jobs")) {
        for (const Json& output : job.at("outputs")) known[output.at("key")] = output.at("description");
      }
    }
    const auto first = run_stages(before, before.at("runs")[0].at("id"));
    const auto second = run_stages(after, after.at("runs")[0].at("id"));
    return change_texts(key_changes(first.at("score ti_code").description, second.at("score ti_code").description,
                                    [&](const std::string& key) -> std::optional<Json> {
                                      return known.contains(key) ? std::optional(known.at(key)) : std::nullopt;
                                    }));
  };
  CHECK(differences(before).empty());
  const auto options = differences(world.plan(text, {"methods.textreg.options.ut.learning_rate=0.5"}));
  REQUIRE(options.size() == 1);
  CHECK_THAT(options[0], Catch::StartsWith("option ut.learning_rate: ") && Catch::Contains("in train textreg/ut step"));
}
