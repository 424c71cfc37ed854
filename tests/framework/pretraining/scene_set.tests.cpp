#include "framework/pretraining/scene_set.h"

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "tests/framework/pretraining/scene_support.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

/// What is said of a set after one of its files was changed.
std::string set_refusal(const std::string& name, const std::function<void(std::string&)>& change) {
  const TemporaryFolder place;
  write_scene_set(place.path());
  std::string text = read_text_file(place / name);
  change(text);
  std::ofstream(place / name) << text;
  try {
    static_cast<void>(SceneSet::open(place.path()));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

std::string refused_line(const std::function<void(Json&)>& change) {
  return set_refusal("scenes.jsonl", [&](std::string& text) {
    const auto end = text.find('\n');
    Json line = Json::parse(text.substr(0, end));
    change(line);
    text = line.dump() + text.substr(end);
  });
}

}  // namespace

TEST_CASE("a scene set is read without copying its pictures", "[pretraining][scene_set]") {
  const TemporaryFolder place;
  write_scene_set(place.path(), 12, 16);
  const SceneSet set = SceneSet::open(place.path());
  CHECK(set.size() == 24);
  CHECK(set.side() == 16);
  CHECK(set.images().sizes() == at::IntArrayRef({24, 16, 16, 3}));
  CHECK(set.masks().scalar_type() == at::kByte);
  REQUIRE(set.attributes().size() == 3);
  CHECK(set.attributes()[0].name == "class");
  CHECK(set.attributes()[1].values == std::vector<std::string>{"red", "blue"});
  const Scene& scene = set.scenes()[3];
  CHECK(scene.captions.at(0) == "a photo of a red house in a beach");
  CHECK(scene.subject == "a house");
  CHECK(scene.values == std::vector<std::int64_t>{1, 0, 0});
  CHECK(scene.instance == 1);
  CHECK(set.attribute("place") == 2);
  CHECK_THROWS_WITH(set.attribute("size"), Contains("no attribute \"size\"") && Contains("class, colour, place"));
  CHECK(set.digest().size() == 64);
}

TEST_CASE("pictures become pixels in -1 … 1, channels-last", "[pretraining][scene_set]") {
  const Tensor image = at::tensor({0, 255, 51}, at::kByte).view({1, 1, 1, 3}).expand({2, 4, 4, 3}).contiguous();
  const Tensor pixels = to_pixels(image, at::kFloat);
  CHECK(pixels.sizes() == at::IntArrayRef({2, 3, 4, 4}));
  CHECK(pixels.is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(pixels[0][0][0][0].item<float>() == -1.0f);
  CHECK(pixels[1][1][3][3].item<float>() == Approx(1.0f));
  CHECK(pixels[0][2][1][2].item<float>() == Approx(-0.6f));
}

TEST_CASE("a scene set with a fault is refused in words", "[pretraining][scene_set]") {
  const TemporaryFolder empty;
  CHECK_THROWS_WITH(SceneSet::open(empty.path()), Contains("set.json: no such file"));
  CHECK_THROWS_WITH(SceneSet::open(empty / "none"), Contains("no such folder"));

  const auto replace = [](const std::string& from, const std::string& to) {
    return [=](std::string& text) { text.replace(text.find(from), from.size(), to); };
  };
  CHECK_THAT(set_refusal("set.json", replace("\"count\":24", "\"count\":25")), Contains("24 lines; expected 25"));
  CHECK_THAT(set_refusal("set.json", replace("\"count\":24", "\"count\":23")),
             Contains("scenes.jsonl:24: another scene"));
  CHECK_THAT(set_refusal("set.json", replace("\"size\":16", "\"size\":17")), Contains("images: [24, 16, 16, 3] U8"));
  CHECK_THAT(set_refusal("set.json", replace("\"size\":16", "\"size\":\"16\"")), Contains("expected an integer"));
  CHECK_THAT(set_refusal("set.json", replace("\"red\"", "\"blue\"")), Contains("colour: blue twice"));
  CHECK_THAT(set_refusal("scenes.jsonl", replace("{", "[")), Contains("scenes.jsonl:1: not JSON"));
  CHECK_THAT(refused_line([](Json& line) { line["attributes"]["colour"] = "green"; }),
             Contains("scenes.jsonl:1: attributes: colour: \"green\"; expected one of red, blue"));
  CHECK_THAT(refused_line([](Json& line) { line["attributes"].erase("place"); }), Contains("no \"place\""));
  CHECK_THAT(refused_line([](Json& line) { line["attributes"]["size"] = "big"; }), Contains("4 attributes"));
  CHECK_THAT(refused_line([](Json& line) { line["captions"] = Json::array(); }), Contains("captions: []"));
  CHECK_THAT(refused_line([](Json& line) { line["instance"] = -1; }), Contains("instance: -1"));
  CHECK_THAT(refused_line([](Json& line) { line.erase("subject"); }), Contains("no \"subject\""));
}
