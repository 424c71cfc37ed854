#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "experiments/pocket/world/concepts.h"
#include "experiments/pocket/world/draw.h"
#include "experiments/pocket/world/prompts.h"

using namespace atelier::pocket;

namespace {

constexpr std::int64_t kScenes = 8000;

bool is_reserved(const Scene& scene) { return reserved(scene.instance.kind, scene.instance.hue, scene.place); }

}  // namespace

TEST_CASE("Base training never sees a reserved combination, nor what resembles a concept", "[pocket][draw]") {
  for (std::int64_t i = 0; i < kScenes; ++i) {
    const Scene scene = draw_scene(Split::train, 0, i).scene;
    REQUIRE_FALSE(is_reserved(scene));
    if (scene.instance.two_hues()) REQUIRE_FALSE(resembles_concept(scene.instance));
    if (!scene.instance.two_hues()) REQUIRE(scene.instance.mark == Mark::none);
  }
}

TEST_CASE("Each class and colour has one reserved place", "[pocket][draw]") {
  std::map<int, int> by_place;
  for (int kind = 0; kind < 10; ++kind) {
    for (int hue = 0; hue < kPureColours; ++hue) {
      int count = 0;
      for (int place = 0; place < 8; ++place) {
        const bool held = reserved(static_cast<Class>(kind), static_cast<Hue>(hue), static_cast<Place>(place));
        count += held ? 1 : 0;
        by_place[place] += held ? 1 : 0;
      }
      CHECK(count == 1);
    }
  }
  for (const auto& [place, count] : by_place) CHECK(count == 10);
}

TEST_CASE("Test scenes are ordinary objects in all combinations", "[pocket][draw]") {
  int held = 0;
  for (std::int64_t i = 0; i < kScenes; ++i) {
    const Scene scene = draw_scene(Split::test, 0, i).scene;
    REQUIRE_FALSE(scene.instance.two_hues());
    held += is_reserved(scene) ? 1 : 0;
  }
  CHECK(held > kScenes / 10);  // an eighth
}

TEST_CASE("Images of one instance show one object in different places", "[pocket][draw]") {
  for (std::int64_t first = 0; first < 2000; first += kImagesPerInstance) {
    std::set<Place> places;
    const DrawnScene whole = draw_scene(Split::train, 9, first);
    for (std::int64_t i = first; i < first + kImagesPerInstance; ++i) {
      const DrawnScene drawn = draw_scene(Split::train, 9, i);
      REQUIRE(drawn.instance == first / kImagesPerInstance);
      REQUIRE(drawn.scene.instance.shape == whole.scene.instance.shape);
      REQUIRE(drawn.scene.instance.hue == whole.scene.instance.hue);
      places.insert(drawn.scene.place);
    }
    REQUIRE(places.size() == kImagesPerInstance);
  }
}

TEST_CASE("Seeds and splits give other objects", "[pocket][draw]") {
  std::set<std::array<float, 6>> shapes;
  for (std::int64_t i = 0; i < 400; i += kImagesPerInstance) {
    for (const std::uint64_t seed : {0u, 1u}) {
      shapes.insert(draw_scene(Split::train, seed, i).scene.instance.shape);
      shapes.insert(draw_scene(Split::test, seed, i).scene.instance.shape);
    }
  }
  CHECK(shapes.size() == 400);
}

TEST_CASE("Every value of every attribute is drawn often enough", "[pocket][draw]") {
  std::map<std::string_view, int> counts;
  for (std::int64_t i = 0; i < kScenes; ++i) {
    const Attributes has = attributes_of(draw_scene(Split::train, 0, i).scene);
    for (const std::string_view value : {has.kind, has.colour, has.texture, has.place, has.style, has.accessory})
      ++counts[value];
  }
  const auto often = [&counts](const auto& values) {
    return std::all_of(values.begin(), values.end(),
                       [&](std::string_view value) { return counts[value] > kScenes / 20; });
  };
  CHECK(often(kClasses));
  CHECK(often(kColours));
  CHECK(often(kTextures));
  CHECK(often(kPlaces));
  CHECK(often(kStyles));
  CHECK(often(kAccessories));
}

TEST_CASE("Held-out prompts ask for reserved combinations alone", "[pocket][prompts]") {
  const auto prompts = held_out_prompts();
  CHECK(prompts.size() == 60);
  std::set<std::string> texts;
  for (const HeldOutPrompt& held : prompts) {
    texts.insert(held.prompt);
    const auto at = [](const auto& names, std::string_view name) {
      return std::find(names.begin(), names.end(), name) - names.begin();
    };
    CHECK(reserved(static_cast<Class>(at(kClasses, held.naming.kind)),
                   static_cast<Hue>(at(kColours, held.naming.colour)),
                   static_cast<Place>(at(kPlaces, held.naming.place))));
  }
  CHECK(texts.size() == 60);
}

TEST_CASE("Swapped words change one attribute and the prompt", "[pocket][prompts]") {
  const auto swaps = word_swaps();
  CHECK(swaps.size() == 60);
  for (const WordSwap& swap : swaps) {
    CHECK(swap.first != swap.second);
    CHECK(swap.first_value != swap.second_value);
  }
}

TEST_CASE("Concepts are odd, of two hues, marked, and seen in five places", "[pocket][concepts]") {
  CHECK(concepts().size() >= 12);
  std::set<std::string_view> names;
  for (const Concept& what : concepts()) {
    INFO(what.name);
    names.insert(what.name);
    CHECK(what.instance.two_hues());
    CHECK(what.instance.mark != Mark::none);
    const auto beyond = std::count_if(what.instance.shape.begin(), what.instance.shape.end(),
                                      [](float value) { return value < -1.0f || value > 1.0f; });
    CHECK(beyond >= 2);
    CHECK(std::set<Place>(what.places.begin(), what.places.end()).size() == 5);
  }
  CHECK(names.size() == concepts().size());
}
