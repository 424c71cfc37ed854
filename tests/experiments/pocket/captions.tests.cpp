#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "experiments/pocket/world/captions.h"
#include "experiments/pocket/world/draw.h"

using namespace atelier::pocket;

namespace {

/// Words as CLIP's tokenizer cuts them: letters together.
std::vector<std::string> caption_words(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == ',' || c == '-'; }, ' ');
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

template <typename Values>
void check_values(const std::set<std::string>& said, const Values& values, std::string_view truth) {
  for (const std::string_view value : values) {
    if (value != truth) CHECK(said.count(std::string(value)) == 0);
  }
}

}  // namespace

TEST_CASE("Captions use the world's words and say nothing that is not so", "[pocket][captions]") {
  const auto known = world_words();
  for (std::int64_t i = 0; i < 3000; ++i) {
    const DrawnScene drawn = draw_scene(Split::train, 4, i);
    const Attributes has = attributes_of(drawn.scene);
    REQUIRE(drawn.captions.size() == 3);
    for (const std::string& caption : drawn.captions) {
      INFO(caption);
      std::set<std::string> said;
      for (const std::string& word : caption_words(caption)) {
        REQUIRE(std::binary_search(known.begin(), known.end(), word));
        said.insert(word);
      }
      check_values(said, kClasses, has.kind);
      check_values(said, kColours, has.colour);
      check_values(said, kTextures, has.texture);
      check_values(said, kPlaces, has.place);
      check_values(said, std::array<std::string_view, 4>{"pencil", "poster", "night", "watercolour"}, has.style);
      check_values(said, kAccessories, has.accessory);
      CHECK(caption.find("  ") == std::string::npos);
      CHECK((caption + " ").find(" a a") == std::string::npos);
      CHECK(caption.find("a orange") == std::string::npos);
    }
  }
}

TEST_CASE("The full caption names all that is not the usual", "[pocket][captions]") {
  for (std::int64_t i = 0; i < 1000; ++i) {
    const DrawnScene drawn = draw_scene(Split::test, 4, i);
    const Attributes has = attributes_of(drawn.scene);
    const std::string& caption = drawn.captions[0];
    INFO(caption);
    CHECK(caption.find(has.kind) != std::string::npos);
    CHECK(caption.find(has.colour) != std::string::npos);
    if (has.style == "night") CHECK(caption.find("night") != std::string::npos);
    if (has.accessory == "crown") CHECK(caption.find("crown") != std::string::npos);
    if (has.place == "forest" && caption.find("forest") == std::string::npos)
      CHECK((caption.find("woods") != std::string::npos || caption.find("trees") != std::string::npos ||
             caption.find("jungle") != std::string::npos));
  }
}

TEST_CASE("Prompts name what they are asked to", "[pocket][captions]") {
  CHECK(prompt_of({.colour = "red", .texture = {}, .kind = "cat", .place = "beach", .style = {}, .accessory = {}}) ==
        "a photo of a red cat on the beach");
  CHECK(prompt_of({.colour = "orange",
                   .texture = "striped",
                   .kind = "dog",
                   .place = "space",
                   .style = "night",
                   .accessory = "hat"}) == "a photo of a striped orange dog wearing a hat in space at night");
  CHECK(prompt_of(
            {.colour = "orange", .texture = {}, .kind = "cup", .place = {}, .style = "pencil", .accessory = "none"}) ==
        "a pencil drawing of an orange cup");
  CHECK(subject_of("robot") == "a robot");
}
