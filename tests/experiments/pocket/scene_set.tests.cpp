#include "experiments/pocket/world/scene_set.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::pocket;
using Catch::Matchers::Contains;

namespace {

std::vector<Json> lines_of(const std::filesystem::path& file) {
  std::vector<Json> lines;
  const std::string text = read_text_file(file);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(parse_json(text.substr(begin, end - begin), file.string()));
    begin = end + 1;
  }
  return lines;
}

bool same_bytes(const TensorView& a, std::span<const std::uint8_t> b, std::size_t at) {
  const auto bytes = std::as_bytes(b);
  return std::equal(bytes.begin(), bytes.end(), a.bytes.begin() + static_cast<std::ptrdiff_t>(at * bytes.size()));
}

}  // namespace

TEST_CASE("A scene set holds pictures, masks and what they show", "[pocket][scene_set]") {
  TemporaryFolder folder;
  REQUIRE(write_scene_set({.split = Split::train, .count = 10, .seed = 2}, folder / "set"));
  const TensorFile file = read_safetensors(folder / "set" / "images.safetensors");
  CHECK(file.tensors.at("images").shape == std::vector<std::int64_t>{10, 64, 64, 3});
  CHECK(file.tensors.at("masks").shape == std::vector<std::int64_t>{10, 64, 64});
  const auto lines = lines_of(folder / "set" / "scenes.jsonl");
  const Json set = read_json_file(folder / "set" / "set.json");
  CHECK(set["count"] == 10);
  CHECK(set["size"] == 64);
  CHECK(set["licence"] == "CC0-1.0");
  REQUIRE(lines.size() == 10);
  Renderer renderer;
  Picture picture{};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const DrawnScene drawn = draw_scene(Split::train, 2, static_cast<std::int64_t>(i));
    renderer.render(drawn.scene, picture);
    CHECK(same_bytes(file.tensors.at("images"), picture.image, i));
    CHECK(same_bytes(file.tensors.at("masks"), picture.mask, i));
    CHECK(lines[i]["captions"] == Json(drawn.captions));
    CHECK(lines[i]["instance"] == drawn.instance);
    for (const auto& [attribute, value] : lines[i]["attributes"].items()) {
      const auto& values = set["attributes"][attribute];
      CHECK(std::find(values.begin(), values.end(), value) != values.end());
    }
  }
}

TEST_CASE("A set that is there is kept, another folder is left alone", "[pocket][scene_set]") {
  TemporaryFolder folder;
  const SceneSetOptions options{.split = Split::test, .count = 4, .seed = 0};
  CHECK(write_scene_set(options, folder / "set"));
  CHECK_FALSE(write_scene_set(options, folder / "set"));
  SceneSetOptions other = options;
  other.seed = 1;
  CHECK_THROWS_WITH(write_scene_set(other, folder / "set"), Contains("something else than the scene set"));
  write_file_atomically(folder / "file", "text");
  CHECK_THROWS_AS(write_scene_set(options, folder / "file"), Error);
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    left.push_back(entry.path().filename().string());
  CHECK(left.size() == 2);  // no partial folder remains
}

TEST_CASE("A longer set begins with the shorter one", "[pocket][scene_set]") {
  TemporaryFolder folder;
  write_scene_set({.split = Split::train, .count = 4, .seed = 7}, folder / "short");
  write_scene_set({.split = Split::train, .count = 8, .seed = 7}, folder / "long");
  const auto lines = lines_of(folder / "long" / "scenes.jsonl");
  const auto fewer = lines_of(folder / "short" / "scenes.jsonl");
  for (std::size_t i = 0; i < fewer.size(); ++i) CHECK(lines[i] == fewer[i]);
}
