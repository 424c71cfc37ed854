// Images of the class in plans: given in folders, or drawn by the base model.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/plan/concept_check.h"
#include "framework/plan/keys.h"
#include "framework/plan/manifest.h"
#include "framework/store/store.h"
#include "tests/framework/plan/study_world.h"

using namespace atelier;
using namespace atelier::tests;
using Catch::Contains;

namespace {

/// The method `name` with a stage that trains on images of the class where `prior` is true.
MethodSpec prior_method(const std::string& name, std::int64_t count) {
  MethodSpec spec = dco_spec();
  spec.name = name;
  spec.options.push_back(option("prior", OptionType::boolean, true));
  for (auto& each :
       class_image_options({.when = {.option = "prior", .value = true}, .count = count, .source = "tests"}))
    spec.options.push_back(std::move(each));
  spec.stages[0].reads.push_back("prior");
  spec.stages[0].class_images_when = {{.option = "prior", .value = true}};
  return spec;
}

class ClassWorld : public StudyWorld {
 public:
  ClassWorld() {
    install(prior_method("first", 50));
    install(prior_method("second", 30));
    for (int i = 0; i < 3; ++i) photo("cats/" + std::to_string(i) + ".png", 100 + i);
  }
};

const std::string kClassHead = "study: one\nconcepts: [{name: cat, path: concepts/cat}]\n";

std::string class_study(const std::string& first, const std::string& second = "") {
  return kClassHead + "methods: {first: {base: base" + first + "}" +
         (second.empty() ? "" : ", second: {base: base" + second + "}") + "}\n";
}

std::size_t drawn_images(const Json& job) {
  std::size_t images = 0;
  for (const Json& output : job["outputs"]) images += output["seeds"].size();
  return images;
}

}  // namespace

TEST_CASE("images of the class are drawn once for all methods and runs that ask for the same", "[plan][class_images]") {
  ClassWorld world;
  const auto manifest = world.plan(class_study(", prior: true", ", prior: true") + "seed: [0, 1]\n");
  const auto drawn = jobs(manifest, "generate");
  REQUIRE(drawn.size() == 1);
  CHECK(drawn[0]["job"]["prompt"] == "a photo of cat");
  CHECK(drawn[0]["job"]["sampler"]["scheduler"] == "pndm");
  CHECK(drawn[0]["runs"].size() == 4);
  // 50 images in keys of 20, 20, 10; of the 30, the first 20 are among them.
  REQUIRE(drawn[0]["outputs"].size() == 4);
  CHECK(drawn_images(drawn[0]) == 60);
  std::vector<std::int64_t> seeds;
  for (const Json& seed : drawn[0]["outputs"][0]["seeds"]) seeds.push_back(seed);
  CHECK(seeds[7] == class_image_seed("a photo of cat", 7));
  for (const auto& train : jobs(manifest, "train")) {
    CHECK(train["needs"] == Json::array({drawn[0]["id"]}));
    const auto& sets = train["job"]["class_sets"];
    CHECK(sets.size() == (train["job"]["method"] == "first" ? 3 : 2));
    CHECK(sets[0] == drawn[0]["outputs"][0]["key"]);
    CHECK(train["outputs"][0]["description"]["class_images"]["generated"] == sets);
  }
  CHECK(plan_counts(manifest, nullptr)["generate"] == Json{{"jobs", 1}, {"images", 60}});
}

TEST_CASE("what decides images of the class decides their key and that of the training", "[plan][class_images]") {
  ClassWorld world;
  const auto key = [&](const std::string& more, const std::string& kind) {
    return jobs(world.plan(class_study(more)), kind)[0]["outputs"][0]["key"];
  };
  for (const auto* more : {", class_prompt: \"one {}\"", ", num_class_images: 10"}) {
    CHECK(key(more, "generate") != key("", "generate"));
    CHECK(key(more, "train") != key("", "train"));
  }
  // More images leave the first ones as they are.
  CHECK(key(", num_class_images: 70", "generate") == key("", "generate"));
  CHECK(key(", num_class_images: 70", "train") != key("", "train"));
  // The seed of a run decides its training alone.
  const auto manifest = world.plan(class_study("") + "seed: [3]\nsample_seed: 8\n");
  CHECK(jobs(manifest, "generate")[0]["outputs"][0]["key"] == key("", "generate"));
  CHECK(jobs(manifest, "train")[0]["outputs"][0]["key"] != key("", "train"));
}

TEST_CASE("without prior preservation nothing is drawn, and keys are those of before", "[plan][class_images]") {
  ClassWorld world;
  const auto manifest = world.plan(class_study(", prior: false"));
  CHECK(jobs(manifest, "generate").empty());
  const auto train = jobs(manifest, "train")[0];
  CHECK_FALSE(train["outputs"][0]["description"].contains("class_images"));
  CHECK_FALSE(train["job"].contains("class_sets"));
  CHECK_FALSE(train["job"].contains("class_photos"));
}

TEST_CASE("a folder that study or concept names stands for drawn images, by content", "[plan][class_images]") {
  ClassWorld world;
  const auto described = [](const Json& manifest) {
    CHECK(jobs(manifest, "generate").empty());
    return jobs(manifest, "train")[0]["outputs"][0]["description"]["class_images"]["photos"];
  };
  const std::string named =
      "study: one\nconcepts: [{name: cat, path: concepts/cat, class_images: cats}]\nmethods: {first: {base: base}}\n";
  const auto manifest = world.plan(named);
  const auto photos = described(manifest);
  REQUIRE(photos.size() == 3);
  CHECK(photos[0] == Json{{"sha256", sha256_file(world / "cats/0.png")}, {"caption", ""}});
  CHECK(jobs(manifest, "train")[0]["job"]["class_photos"][2]["path"] == (world / "cats/2.png").string());

  world.write("cats/captions.txt", "one\ntwo\nthree\n");
  CHECK(described(world.plan(named))[1]["caption"] == "two");

  for (int i = 0; i < 2; ++i) world.photo("concepts/cat/class/" + std::to_string(i) + ".png", 200 + i);
  world.write("concepts/cat/concept.yaml", "class: cat\nclass_images: class\n");
  CHECK(described(world.plan(class_study(""))).size() == 2);
  CHECK(described(world.plan(named)).size() == 3);  // the study's word counts
  const auto drawn = world.plan(class_study(", class_images: generated"));
  CHECK(jobs(drawn, "generate").size() == 1);
  CHECK(jobs(drawn, "train")[0]["job"].contains("class_sets"));
  CHECK(described(world.plan(class_study(", class_images: given"))).size() == 2);
}

TEST_CASE("folders of images that cannot serve are told with their place", "[plan][class_images]") {
  ClassWorld world;
  const auto told = [&](const std::string& folder) {
    return message([&] {
      static_cast<void>(world.plan("study: one\nconcepts: [{name: cat, path: concepts/cat, class_images: " + folder +
                                   "}]\nmethods: {first: {base: base}}\n"));
    });
  };
  CHECK_THAT(told("nowhere"), Catch::StartsWith("study.yaml:2:12") && Contains("no such folder"));
  world.write("words/a.txt", "no picture");
  CHECK_THAT(told("words"), Contains("no pictures"));
  world.write("cats/9.jpg", "no picture");
  CHECK_THAT(told("cats"), Contains("9.jpg") && Contains("no JPEG, PNG or WebP"));
  std::filesystem::remove(world / "cats/9.jpg");
  world.write("cats/captions.txt", "one\n");
  CHECK_THAT(told("cats"), Contains("1 captions") && Contains("3, one for each picture"));
  CHECK_THAT(message([&] { static_cast<void>(world.plan(class_study(", class_images: given"))); }),
             Contains("cat has none") && Contains("class_images: generated"));
  world.write("concepts/cat/concept.yaml", "class: cat\nclass_images: ../../cats\n");
  CHECK_THAT(message([&] { static_cast<void>(world.plan(class_study(""))); }), Contains("a folder inside"));
}

TEST_CASE("concepts check counts images of the class", "[plan][class_images]") {
  ClassWorld world;
  for (int i = 0; i < 2; ++i) world.photo("concepts/cat/class/" + std::to_string(i) + ".png", 200 + i);
  world.write("concepts/cat/concept.yaml", "class: cat\nclass_images: class\n");
  const auto report = check_concepts(world / "concepts", "", world.reader, data());
  CHECK(to_json(report)["concepts"][0]["class_images"] == 2);
  CHECK_THAT(to_text(report), Contains("2 images of the class"));
  world.write("concepts/cat/class/2.png", "no picture");
  CHECK_FALSE(check_concepts(world / "concepts", "", world.reader, data()).good());
}
