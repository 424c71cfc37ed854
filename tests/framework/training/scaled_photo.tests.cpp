// Photos that are scaled in their picture (Custom Diffusion), against Pillow and numpy
// (make_scaled_photo_references.py), and how their masks reach a batch.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <numeric>
#include <set>

#include "framework/core/error.h"
#include "framework/training/given_draws.h"
#include "framework/training/training_data.h"
#include "tests/framework/training/training_support.h"
#include "tests/support/catch_torch.h"

using namespace atelier;
using namespace training_test;

namespace {

struct ScaledCase {
  int side, top, left;
  bool flip;
  double sum, moment;
  std::string mask;
};
const std::vector<ScaledCase> kScaledCases{
#include "tests/framework/training/scaled_photo_references.inc"
};

/// The picture of the script.
Image patterned() {
  auto image = make_raster<Image>({31, 20});
  for (int y = 0; y < 20; ++y) {
    for (int x = 0; x < 31; ++x) {
      for (int c = 0; c < 3; ++c) image.row(y)[3 * x + c] = static_cast<std::uint8_t>(x * 37 + y * 91 + c * 53 + x * y);
    }
  }
  return image;
}

ImageRecipe scaling(int size, bool random = true) {
  ImageRecipe recipe;
  recipe.transform.size = size;
  recipe.scale = PhotoScale{.random = random};
  return recipe;
}

std::string bits_of(const Tensor& mask) {
  std::string bits;
  const Tensor flat = mask.flatten();
  for (std::int64_t i = 0; i < flat.numel(); ++i) bits += flat[i].item<float>() == 1.0F ? '1' : '0';
  return bits;
}

void give_place(GivenDraws& draws, bool shrinks, std::int64_t side, std::int64_t top, std::int64_t left) {
  draws.give("scale_shrinks", shrinks);
  draws.give("scale_side", side);
  draws.give("scale_top", top);
  draws.give("scale_left", left);
  draws.give("posterior", at::zeros({4, 8, 8}));
}

}  // namespace

TEST_CASE("a scaled photo and its mask are those of the published script", "[training][scaled_photo]") {
  for (const auto& row : kScaledCases) {
    INFO(row.side << " at " << row.top << ", " << row.left);
    PictureDraws draws;
    draws.transform.flip = row.flip;
    draws.place = PhotoPlace{.side = row.side, .top = row.top, .left = row.left};
    const PixelValues pixels = recipe_pixels(patterned(), scaling(24), draws);
    REQUIRE(pixels.shape == std::array<std::int64_t, 4>{1, 3, 24, 24});
    double sum = 0.0, moment = 0.0;
    const auto count = static_cast<double>(pixels.values.size());
    for (std::size_t i = 0; i < pixels.values.size(); ++i) {
      sum += pixels.values[i];
      moment += pixels.values[i] * static_cast<double>(i + 1) / count;
    }
    CHECK(sum == Approx(row.sum).epsilon(1e-5));
    CHECK(moment == Approx(row.moment).epsilon(1e-5));
    CHECK(bits_of(place_mask(*draws.place, 24, 6)) == row.mask);
  }
}

TEST_CASE("a photo's side is drawn from a third of the picture to 1.4 of it, with a gap behind 1",
          "[training][scaled_photo]") {
  std::set<int> sides;
  std::int64_t shrunk = 0;
  for (std::int64_t slot = 0; slot < 3000; ++slot) {
    RandomDraws draws({.seed = 3, .stage = 0, .step = 0, .slot = slot});
    const PhotoPlace place = draw_place({}, 30, draws);
    sides.insert(place.side);
    shrunk += place.side <= 30 ? 1 : 0;
    const int room = std::abs(30 - place.side);
    CHECK((place.top >= 0 && place.top <= room && place.left >= 0 && place.left <= room));
  }
  std::set<int> expected;
  for (int side = 10; side <= 30; ++side) expected.insert(side);
  for (int side = 36; side < 42; ++side) expected.insert(side);
  CHECK(sides == expected);
  CHECK(static_cast<double>(shrunk) / 3000 == Approx(0.66).margin(0.03));
}

TEST_CASE("a scaling recipe has pictures without bound, or as many as a flip makes", "[training][scaled_photo]") {
  CHECK_FALSE(scaling(64).outcomes({64, 64}).has_value());
  CHECK(scaling(64, false).outcomes({100, 64}) == 1);
  PhotoPlace outside{.side = 20, .top = 50, .left = 0};
  CHECK_THROWS_WITH(scaled_photo(patterned(), scaling(64).transform, {}, outside), Catch::Contains("a place in a"));
}

TEST_CASE("latents of a scaled photo come with mask and scale, also from frozen variants", "[training][scaled_photo]") {
  const TemporaryFolder folder;
  const auto base = tiny_base();
  DataSpec data;
  data.recipe = scaling(64);
  LatentSource source(*base, {.photos = write_photos(folder, 1), .data = data, .seed = 3});
  GivenDraws small, large;
  give_place(small, true, 11, 16, 8);
  give_place(large, false, 5, 2, 3);
  const DrawnLatents shrunk = source.draw(0, small), enlarged = source.draw(0, large);
  CHECK(shrunk.scale == 32.0 / 64.0);
  CHECK(enlarged.scale == 81.0 / 64.0);
  CHECK(at::equal(shrunk.mask, place_mask({.side = 32, .top = 16, .left = 8}, 64, 8)));
  CHECK(shrunk.mask.sum().item<float>() == 4.0F);
  CHECK(at::equal(enlarged.mask, at::ones({1, 8, 8})));
  CHECK_FALSE(at::equal(shrunk.latents, enlarged.latents));

  data.cache_latents = 3;
  LatentSource frozen(*base, {.photos = write_photos(folder, 1), .data = data, .seed = 3});
  std::set<double> scales;
  for (std::int64_t step = 0; step < 9; ++step) {
    RandomDraws draws({.seed = 3, .stage = 0, .step = step, .slot = 0});
    const DrawnLatents drawn = frozen.draw(0, draws);
    scales.insert(drawn.scale);
    CHECK((drawn.scale > 1.0) == at::equal(drawn.mask, at::ones({1, 8, 8})));
  }
  CHECK(scales.size() <= 3);
  CHECK(scales.size() > 1);
}

TEST_CASE(
    "masks of the photos' rows reach the batch; images of the class count everywhere and have a recipe of their own",
    "[training][scaled_photo]") {
  const TemporaryFolder folder;
  StageSettings settings;
  settings.data.recipe = scaling(64);
  settings.data.class_recipe = ImageRecipe{};
  settings.data.class_recipe->transform.size = 64;
  settings.train.batch = 2;
  const auto base = tiny_base();
  const auto stage = make_stage(settings);
  TrainingData data(*base, *stage,
                    {.seed = 4,
                     .steps = 6,
                     .photos = write_photos(folder, 2),
                     .class_photos = write_photos(folder, 3, 64, 64, "class")});
  bool some = false;
  for (std::int64_t step = 0; step < 6; ++step) {
    const BatchInputs batch = data.batches(step).front();
    REQUIRE(batch.mask.sizes() == at::IntArrayRef({4, 1, 8, 8}));
    CHECK(at::equal(batch.mask.narrow(0, 2, 2), at::ones({2, 1, 8, 8})));
    some = some || batch.mask.narrow(0, 0, 2).min().item<float>() == 0.0F;
    CHECK(at::equal(batch.mask, data.batches(step).front().mask));
  }
  CHECK(some);

  // One picture of a class image: with the photos' recipe it would not be finite.
  auto class_photos = write_photos(folder, 1);
  class_photos.front().of_class = true;
  LatentSource source(*base, {.photos = class_photos, .data = settings.data, .seed = 3});
  GivenDraws draws;
  draws.give("posterior", at::zeros({4, 8, 8}));
  const DrawnLatents drawn = source.draw(0, draws);
  CHECK(source.complete());
  CHECK_FALSE(drawn.mask.defined());
  CHECK(drawn.scale == 1.0);
}
