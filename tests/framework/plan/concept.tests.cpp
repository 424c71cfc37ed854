#include "framework/plan/concept.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/plan/concept_check.h"
#include "tests/framework/plan/plan_world.h"

using namespace atelier;
using namespace atelier::tests;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> names(const std::vector<ConceptPhoto>& photos) {
  std::vector<std::string> list;
  for (const auto& photo : photos) list.push_back(photo.name);
  return list;
}

}  // namespace

TEST_CASE("photos are told by content and come in byte order of their names", "[plan][concept]") {
  PlanWorld world;
  world.photo("dog/10.png", 1);
  world.photo("dog/02.jpg", 2);  // a PNG under another name
  world.photo("dog/B", 3);
  world.photo("dog/a.png", 4);
  world.photo("dog/.thumb.png", 5);
  world.write("dog/notes.txt", "hello");
  const auto dog = world.read("dog");
  CHECK(names(dog.photos) == std::vector<std::string>{"02.jpg", "10.png", "B", "a.png"});
  CHECK(dog.photos.front().sha256 == sha256_file(world / "dog/02.jpg"));
  CHECK(dog.notes.size() == 2);
  CHECK(dog.name == "dog");
}

TEST_CASE("concept.yaml says class words, captions, masks and held-out photos", "[plan][concept]") {
  PlanWorld world;
  for (int i = 0; i < 3; ++i) world.photo("toy/" + std::to_string(i) + ".png", i);
  world.photo("toy/mask.png", 9);
  world.write("toy/concept.yaml",
              "class: toy\nclasses: {textreg: duck_toy}\ninitializer: duck\nkind: object\n"
              "photos: {0.png: {caption: \"a {} on grass\", base_caption: a toy on grass, mask: mask.png}}\n"
              "held_out: [2.png]\n");
  const auto toy = world.read("toy", {.class_word = "thing", .classes = {{"dco", "plaything"}}});
  CHECK(toy.class_for("dreambooth") == "toy");
  CHECK(toy.class_for("dco") == "toy");
  CHECK(toy.class_for("textreg") == "duck_toy");
  CHECK(toy.facts.initializer == "duck");
  CHECK(names(toy.photos) == std::vector<std::string>{"0.png", "1.png", "2.png"});
  CHECK(names(toy.used_photos()) == std::vector<std::string>{"0.png", "1.png"});
  CHECK(toy.photos[0].caption == "a {} on grass");
  CHECK(toy.photos[0].mask == world / "toy/mask.png");
}

TEST_CASE("faults of concept.yaml are told with line and nearest key", "[plan][concept]") {
  PlanWorld world;
  world.photo("toy/0.png", 0);
  world.write("toy/concept.yaml", "class: toy\ninitialiser: duck\nkind: thing\n");
  const auto text = message([&] { static_cast<void>(world.read("toy")); });
  CHECK_THAT(text, Contains("concept.yaml:2:1") && Contains("initializer"));
  CHECK_THAT(text, Contains("kind"));
  world.write("toy/concept.yaml", "held_out: [1.png]\n");
  CHECK_THAT(message([&] { static_cast<void>(world.read("toy")); }), Contains("no photo \"1.png\""));
}

TEST_CASE("paths that leave the concept's folder are refused", "[plan][concept]") {
  PlanWorld world;
  world.photo("toy/0.png", 0);
  world.photo("outside.png", 1);
  for (const auto& mask : {std::string("../outside.png"), (world / "outside.png").string()}) {
    world.write("toy/concept.yaml", "photos: {0.png: {mask: \"" + mask + "\"}}\n");
    CHECK_THAT(message([&] { static_cast<void>(world.read("toy")); }), Contains("expected a file inside"));
  }
  fs::remove(world / "toy/concept.yaml");
  fs::create_symlink(world / "outside.png", world / "toy/1.png");
  CHECK_THAT(message([&] { static_cast<void>(world.read("toy")); }), Contains("a link to"));
  fs::remove(world / "toy/1.png");
  fs::create_symlink("0.png", world / "toy/1.png");
  CHECK(world.read("toy").photos.size() == 2);
}

TEST_CASE("a photo that cannot be decoded is refused every time", "[plan][concept]") {
  PlanWorld world;
  world.photo("toy/0.png", 0);
  const auto whole = read_text_file(world / "toy/0.png");
  world.write("toy/0.png", whole.substr(0, whole.size() / 2));
  CHECK_THROWS_AS(world.read("toy"), Error);
  CHECK_THROWS_AS(world.read("toy"), Error);
  world.write("toy/0.png", "<html>not found</html>");
  CHECK_THAT(message([&] { static_cast<void>(world.read("toy")); }), Contains("no JPEG, PNG or WebP inside"));
}

TEST_CASE("a concept without class word or photos says what to do", "[plan][concept]") {
  PlanWorld world;
  world.photo("toy/0.png", 0);
  CHECK_THAT(message([&] { static_cast<void>(world.read("toy").class_for("dco")); }), Contains("write class: into"));
  fs::create_directories(world / "empty");
  CHECK_THAT(message([&] { static_cast<void>(world.read("empty").used_photos()); }), Contains("no photos"));
  CHECK_THAT(message([&] { static_cast<void>(world.read("nowhere")); }), Contains("no such folder"));
}

TEST_CASE("DCO's config gives photos, captions and words, its token becomes the slot", "[plan][concept][dco]") {
  PlanWorld world;
  world.photo("mug/0.png", 0);
  world.photo("mug/1.png", 1);
  world.photo("mug/2.png", 2);
  world.write("mug/config.json", R"({"full_ti": {"images": ["dataset/mug/1.png", "dataset/mug/0.png"],
      "prompts": ["a top view photo of a <mug> on grass", "a <mug> beside a laptop"],
      "base_prompts": ["a top view photo of a mug on grass", "a mug beside a laptop"],
      "inserting_tokens": ["<mug>"], "initializer_tokens": ["mug"]},
    "dreambooth": {"images": ["0.png"], "prompts": ["a photo of sks mug"]}})");
  const auto mug = world.read("mug");
  CHECK(names(mug.photos) == std::vector<std::string>{"1.png", "0.png"});
  CHECK(mug.photos[0].caption == "a top view photo of a {} on grass");
  CHECK(mug.photos[1].base_caption == "a mug beside a laptop");
  CHECK(mug.class_for("dco") == "mug");
  world.write("mug/concept.yaml", "entry: dreambooth\n");
  CHECK(world.read("mug").photos.at(0).caption == "a photo of sks mug");
  world.write("mug/concept.yaml", "entry: style\n");
  CHECK_THAT(message([&] { static_cast<void>(world.read("mug")); }), Contains("one of dreambooth, full_ti"));
}

TEST_CASE("DCO's lists must have the same length", "[plan][concept][dco]") {
  PlanWorld world;
  world.photo("mug/0.png", 0);
  world.write("mug/config.json", R"({"a": {"images": ["0.png"], "prompts": ["one", "two"]}})");
  CHECK_THAT(message([&] { static_cast<void>(world.read("mug")); }), Contains("2 for 1 images"));
  world.write("mug/config.json", R"({"a": {"images": ["/etc/passwd"], "prompts": ["one"]}})");
  CHECK_THAT(message([&] { static_cast<void>(world.read("mug")); }), Contains("no file for"));
  world.write("mug/config.json", R"({"a": {"images": ["0.png"], "prompts": ["a <mug>"], "inserting_tokens": ["<mug>"],
      "initializer_tokens": ["mug", "cup"]}})");
  CHECK_THAT(message([&] { static_cast<void>(world.read("mug")); }), Contains("2 for 1 tokens"));
}

TEST_CASE("the published sets have their class words by method", "[plan][concept_set]") {
  const auto set = read_concept_set("concepts39", data());
  REQUIRE(set.size() == 39);
  const auto sloth = std::ranges::find(set, "grey_sloth_plushie", &SetEntry::name);
  REQUIRE(sloth != set.end());
  CHECK(sloth->facts.class_word == "grey sloth plushie");
  CHECK(sloth->facts.classes.at("textreg") == "grey_sloth_plushie");
  CHECK(sloth->photos == 5);
  CHECK(std::ranges::count_if(set, [](const auto& entry) { return entry.facts.prompt_set == "live"; }) == 11);
  const auto bench = read_concept_set("dreambench", data());
  CHECK(bench.size() == 30);
  CHECK(std::ranges::find(bench, "dog", &SetEntry::name)->facts.kind == "live");
  CHECK_THAT(message([] { static_cast<void>(read_concept_set("concept39", data())); }),
             Contains("did you mean concepts39?"));
}

TEST_CASE("a set below a root names every missing folder at once", "[plan][concept_set]") {
  PlanWorld world;
  world.photo("cat/0.png", 0);
  const auto set = read_concept_set("dreambench", data());
  const auto cats = read_concepts(set, world.path(), {"cat"}, {}, world.reader);
  REQUIRE(cats.size() == 1);
  CHECK(cats[0].class_for("dco") == "cat");
  CHECK_THAT(message([&] {
               static_cast<void>(read_concepts(set, world.path(), {"cat", "dog", "can"}, {}, world.reader));
             }),
             Contains("no folder can, dog"));
  CHECK_THAT(message([&] { static_cast<void>(read_concepts(set, world.path(), {"catt"}, {}, world.reader)); }),
             Contains("did you mean cat?"));
}

TEST_CASE("the check of a root tells missing concepts, damaged photos and photos that look alike", "[plan][check]") {
  PlanWorld world;
  world.photo("data/cat/0.png", 0);
  world.photo("data/cat/1.png", 0);
  world.photo("data/cat/2.png", 7);
  world.write("data/cat/3.jpg", "nothing");
  world.write("data/cat/list.txt", "x");
  const auto report = check_concepts(world / "data", "dreambench", world.reader, data());
  CHECK_FALSE(report.good());
  CHECK(report.missing() == 29);
  const auto cat = std::ranges::find(report.concepts, "cat", &ConceptCheck::name);
  REQUIRE(cat != report.concepts.end());
  CHECK(cat->photos == 3);
  CHECK(cat->expected == 5);
  CHECK(cat->odd == std::vector<std::string>{"list.txt"});
  REQUIRE(cat->faults.size() == 1);
  CHECK_THAT(cat->faults[0], Contains("3.jpg"));
  REQUIRE(cat->near_duplicates.size() == 1);
  CHECK(cat->near_duplicates[0] == std::pair<std::string, std::string>{"0.png", "1.png"});
  CHECK(to_json(report).at("missing") == 29);
  CHECK_THAT(to_text(report), Contains("look alike: 0.png and 1.png"));
}

TEST_CASE("the photos of the demo are ready for a study", "[plan][check]") {
  PlanWorld world;
  const auto report =
      check_concepts(fs::path(ATELIER_SOURCE_DIR) / "experiments/demo/concepts", "", world.reader, data());
  CHECK(report.concepts.size() == 4);
  for (const auto& check : report.concepts) {
    INFO(check.name);
    CHECK(check.faults == std::vector<std::string>{});
  }
}
