#include <catch2/catch.hpp>
#include <cmath>
#include <span>

#include "experiments/pocket/world/arithmetic.h"
#include "experiments/pocket/world/concepts.h"
#include "experiments/pocket/world/draw.h"
#include "framework/core/digest.h"

using namespace atelier;
using namespace atelier::pocket;

namespace {

void add(Sha256& digest, const Picture& picture) {
  digest.update(std::as_bytes(std::span(picture.image)));
  digest.update(std::as_bytes(std::span(picture.mask)));
}

std::string digest_of(const std::vector<Scene>& scenes) {
  Renderer renderer;
  Picture picture{};
  Sha256 digest;
  for (const Scene& scene : scenes) {
    renderer.render(scene, picture);
    add(digest, picture);
  }
  return digest.hex();
}

std::vector<Scene> first_scenes(Split split, std::uint64_t seed, std::int64_t count) {
  std::vector<Scene> scenes;
  for (std::int64_t i = 0; i < count; ++i) scenes.push_back(draw_scene(split, seed, i).scene);
  return scenes;
}

Picture render(const Scene& scene) {
  Renderer renderer;
  Picture picture{};
  renderer.render(scene, picture);
  return picture;
}

/// A scene without ground, at the same height in both places that have none.
Scene floating(std::int64_t image) {
  Scene scene = draw_scene(Split::test, 5, image).scene;
  scene.style = Style::photo;
  scene.accessory = Accessory::none;
  scene.place = Place::space;
  scene.depth = 1.0f;
  return scene;
}

}  // namespace

// Whoever changes a picture raises kWorldVersion and writes the new digests here: models trained on the old pictures
// are then known to be so.
TEST_CASE("Pictures and masks are the same bytes everywhere", "[pocket][render]") {
  REQUIRE(kWorldVersion == 1);
  CHECK(digest_of(first_scenes(Split::train, 0, 400)) ==
        "f147f07b8886d6c0b069663125b4912e48176b03368a55ae89f0a556bef3d721");
  CHECK(digest_of(first_scenes(Split::test, 0, 200)) ==
        "2c4a42403f7e800dcf279f012392c5460dd72f5f9d4b1bf5a592e7199ab75c85");
  Sha256 digest;
  for (const Concept& what : concepts()) digest.update(digest_of(concept_scenes(what)));
  CHECK(digest.hex() == "80bc45e6a069af38c39e0eedea59fb7a6869e5a3c7bed5e827ed8a412a414543");
}

TEST_CASE("A renderer remembers nothing of the picture before", "[pocket][render]") {
  Renderer used;
  Picture picture{};
  for (std::int64_t i = 0; i < 40; ++i) {
    const Scene scene = draw_scene(Split::train, 3, i).scene;
    used.render(scene, picture);
    const Picture fresh = render(scene);
    REQUIRE(fresh.image == picture.image);
    REQUIRE(fresh.mask == picture.mask);
  }
}

TEST_CASE("The mask is the weight of the subject in the picture", "[pocket][render]") {
  for (std::int64_t i = 0; i < 40; ++i) {
    Scene scene = floating(i);
    const Picture space = render(scene);
    scene.place = Place::underwater;
    const Picture water = render(scene);
    REQUIRE(space.mask == water.mask);
    int different = 0;
    for (std::size_t pixel = 0; pixel < space.mask.size(); ++pixel) {
      for (std::size_t channel = 3 * pixel; channel < 3 * pixel + 3; ++channel) {
        const int gap = std::abs(space.image[channel] - water.image[channel]);
        // What shows through is at most the part that the mask leaves, and half a step of rounding on each side.
        REQUIRE(gap <= 255 - space.mask[pixel] + 1);
        different += space.mask[pixel] == 0 && gap > 0 ? 1 : 0;
      }
    }
    CHECK(different > 3000);
  }
}

TEST_CASE("What is worn does not belong to the subject", "[pocket][render]") {
  for (std::int64_t i = 0; i < 40; ++i) {
    Scene scene = floating(i);
    scene.size = 26.0f;  // room for a hat: the figure is not moved
    scene.across = 0.0f;
    const Picture bare = render(scene);
    scene.accessory = static_cast<Accessory>(1 + i % 4);
    const Picture worn = render(scene);
    if (worn.mask == bare.mask) continue;  // a hat that covers nothing
    int less = 0;
    for (std::size_t pixel = 0; pixel < bare.mask.size(); ++pixel) {
      REQUIRE(worn.mask[pixel] <= bare.mask[pixel]);
      less += worn.mask[pixel] < bare.mask[pixel] ? 1 : 0;
    }
    CHECK(less > 0);
  }
}

TEST_CASE("Subjects are large and lie whole inside the picture", "[pocket][render]") {
  Renderer renderer;
  Picture picture{};
  for (std::int64_t i = 0; i < 1500; ++i) {
    renderer.render(draw_scene(Split::train, 11, i).scene, picture);
    double area = 0;
    int border = 0;
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const int value = picture.mask[static_cast<std::size_t>(y * kSide + x)];
        area += value / 255.0;
        if (x == 0 || y == 0 || x == kSide - 1 || y == kSide - 1) border += value;
      }
    }
    INFO("scene " << i);
    REQUIRE(border == 0);
    REQUIRE(area > 150);   // 4 % of the picture
    REQUIRE(area < 1650);  // 40 %
  }
}

TEST_CASE("Own sines agree with the library's", "[pocket][arithmetic]") {
  for (int i = -400; i <= 400; ++i) {
    const float turns = static_cast<float>(i) / 100.0f;
    const double radians = 2.0 * 3.14159265358979 * static_cast<double>(turns);
    CHECK(std::abs(static_cast<double>(sin_turns(turns)) - std::sin(radians)) < 1e-5);
    CHECK(std::abs(static_cast<double>(cos_turns(turns)) - std::cos(radians)) < 1e-5);
  }
}
