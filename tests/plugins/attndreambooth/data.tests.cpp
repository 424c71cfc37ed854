// Pictures and their order.
#include <cmath>
#include <map>

#include "framework/image/geometry.h"
#include "framework/training/photo_order.h"
#include "framework/training/picture_recipe.h"
#include "tests/plugins/attndreambooth/world.h"

using namespace attn_world;

namespace {

Image noise_image(Size size) {
  auto image = make_raster<Image>(size);
  std::uint32_t state = 1;
  for (int y = 0; y < size.height; ++y) {
    for (std::ptrdiff_t x = 0; x < static_cast<std::ptrdiff_t>(image.stride()); ++x) {
      state = state * 1664525U + 1013904223U;
      image.row(y)[x] = static_cast<std::uint8_t>(state >> 24);
    }
  }
  return image;
}

DataSpec data_of(const Json& chosen = Json::object(), const std::string& preset = "") {
  return settings_for("attention", chosen, preset).data;
}

}  // namespace

TEST_CASE("Without turn, mirror and offset a picture of the resolution stays as it is", "[attndreambooth][data]") {
  const Image image = noise_image({512, 512});
  const PixelValues pixels = recipe_pixels(image, data_of().recipe, {});
  REQUIRE(pixels.values.size() == 3U * 512 * 512);
  bool same = true;
  for (int y = 0; y < 512; ++y) {
    for (int x = 0; x < 512; ++x) {
      for (int c = 0; c < 3; ++c) {
        const float expected = (static_cast<float>(image.row(y)[3 * x + c]) / 255.0F - 0.5F) / 0.5F;
        const auto place =
            (static_cast<std::size_t>(c) * 512 + static_cast<std::size_t>(y)) * 512 + static_cast<std::size_t>(x);
        same = same && std::abs(pixels.values[place] - expected) < 1e-6F;
      }
    }
  }
  CHECK(same);
}

TEST_CASE("A picture that is turned grows, and its corners are black", "[attndreambooth][data]") {
  const Size turned = rotated_size({600, 400}, 30.0);
  CHECK(std::abs(turned.width - 720) <= 1);
  CHECK(std::abs(turned.height - 647) <= 1);
  auto white = make_raster<Image>({600, 400});
  for (int y = 0; y < 400; ++y) std::fill_n(white.row(y), white.stride(), std::uint8_t{255});
  const auto recipe = data_of().recipe;
  PictureDraws draws;
  draws.transform.rotate = 30.0;
  draws.transform.crop_top = 0;
  draws.transform.crop_left = 0;
  CHECK(train_resized_size({600, 400}, recipe.transform, draws.transform).height == 512);
  const PixelValues pixels = recipe_pixels(white, recipe, draws);
  CHECK(pixels.values[0] == -1.0F);
  CHECK(pixels.values[512 * 256 + 256] == 1.0F);
}

TEST_CASE(
    "Three pictures of four are turned, one of four mirrored, by angles spread evenly over 45 degrees to both sides",
    "[attndreambooth][data]") {
  const auto recipe = data_of().recipe;
  constexpr int kDraws = 20000;
  int turned = 0, mirrored = 0;
  std::map<int, int> bins;
  for (int i = 0; i < kDraws; ++i) {
    RandomDraws draws({.seed = 3, .stage = 0, .step = i, .slot = 0});
    const auto drawn = draw_picture(recipe, {640, 512}, draws).transform;
    mirrored += drawn.flip ? 1 : 0;
    if (!drawn.rotate) continue;
    ++turned;
    REQUIRE(std::abs(*drawn.rotate) <= 45.0);
    ++bins[static_cast<int>(std::floor((*drawn.rotate + 45.0) / 9.0))];
  }
  // Five standard deviations.
  CHECK(std::abs(turned - 0.75 * kDraws) < 5 * std::sqrt(kDraws * 0.75 * 0.25));
  CHECK(std::abs(mirrored - 0.25 * kDraws) < 5 * std::sqrt(kDraws * 0.75 * 0.25));
  for (int bin = 0; bin < 10; ++bin) CHECK(std::abs(bins[bin] - turned / 10.0) < 5 * std::sqrt(turned * 0.09));
  RandomDraws draws({});
  CHECK_FALSE(draw_picture(data_of({{"rotate_p", 0.0}}).recipe, {640, 512}, draws).transform.rotate);
  CHECK_FALSE(draw_picture(data_of({{"center_crop", true}}).recipe, {640, 512}, draws).transform.crop_left);
}

TEST_CASE("Two epochs see every photo 200 times, and the last batch of each may be smaller", "[attndreambooth][data]") {
  const auto settings = settings_for("attention");
  PhotoOrder order({.seed = 1,
                    .stage = 0,
                    .photos = 5,
                    .repeats = settings.data.repeats,
                    .batch = settings.train.batch,
                    .drop_last = settings.data.drop_last});
  CHECK(order.batches_per_epoch() == 63);
  std::map<std::int64_t, int> seen;
  for (std::int64_t batch = 0; batch < 126; ++batch) {
    const auto photos = order.batch(batch);
    CHECK(photos.size() == (batch % 63 == 62 ? 4U : 8U));
    for (const auto photo : photos) ++seen[photo];
  }
  CHECK(seen == std::map<std::int64_t, int>{{0, 200}, {1, 200}, {2, 200}, {3, 200}, {4, 200}});
}
