#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <set>

#include "framework/core/mapped_file.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/unet.h"
#include "framework/training/frozen_text.h"
#include "framework/training/given_draws.h"
#include "framework/training/photo_order.h"
#include "framework/training/training_data.h"
#include "tests/framework/training/training_support.h"
#include "tests/support/catch_torch.h"

using namespace atelier;
using namespace training_test;

TEST_CASE("an epoch holds every photo as often as it repeats, in another order each time", "[training][data]") {
  PhotoOrder order({.seed = 1, .stage = 0, .photos = 5, .repeats = 4, .batch = 3, .drop_last = false});
  REQUIRE(order.batches_per_epoch() == 7);
  std::vector<std::vector<std::int64_t>> epochs;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::int64_t> seen;
    for (std::int64_t b = 0; b < 7; ++b) {
      const auto batch = order.batch(epoch * 7 + b);
      CHECK(batch.size() == (b == 6 ? 2u : 3u));
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    for (std::int64_t photo = 0; photo < 5; ++photo) CHECK(std::count(seen.begin(), seen.end(), photo) == 4);
    epochs.push_back(seen);
  }
  CHECK(epochs[0] != epochs[1]);
  CHECK(epochs[1] != epochs[2]);
  PhotoOrder again({.seed = 1, .stage = 0, .photos = 5, .repeats = 4, .batch = 3, .drop_last = false});
  CHECK(again.batch(15) == order.batch(15));  // without those before it
}

TEST_CASE("the last batch of an epoch is dropped where asked, and an epoch without a batch is refused",
          "[training][data]") {
  PhotoOrder order({.seed = 1, .photos = 5, .repeats = 1, .batch = 2, .drop_last = true});
  CHECK(order.batches_per_epoch() == 2);
  CHECK(order.batch(1).size() == 2);
  CHECK_THROWS_WITH(PhotoOrder({.photos = 1, .batch = 2, .drop_last = true}), Catch::Contains("batch of 2"));
  CHECK_THROWS_WITH(PhotoOrder({.photos = 0}), Catch::Contains("photos: none"));
}

TEST_CASE("a recipe knows how many pictures it can make", "[training][data]") {
  ImageRecipe recipe = flip_data().recipe;
  CHECK(recipe.outcomes({100, 64}) == 2);
  recipe.random_crop = true;
  CHECK(recipe.outcomes({64, 64}) == 2);
  CHECK_FALSE(recipe.outcomes({100, 64}).has_value());
  recipe.random_crop = false;
  recipe.flip_probability = 0.0;
  CHECK(recipe.outcomes({100, 64}) == 1);
  recipe.brightness = 0.1;
  CHECK_FALSE(recipe.outcomes({100, 64}).has_value());
}

namespace {

std::vector<std::vector<BatchInputs>> batches_of(const StageSettings& settings, TrainingData::Options options) {
  const auto base = tiny_base();
  const auto stage = make_stage(settings);
  TrainingData data(*base, *stage, std::move(options));
  std::vector<std::vector<BatchInputs>> all;
  for (std::int64_t step = 0; step < 6; ++step) all.push_back(data.batches(step));
  return all;
}

void check_same(const std::vector<std::vector<BatchInputs>>& a, const std::vector<std::vector<BatchInputs>>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t step = 0; step < a.size(); ++step) {
    for (std::size_t k = 0; k < a[step].size(); ++k) {
      CHECK(at::equal(a[step][k].latents, b[step][k].latents));
      CHECK(at::equal(a[step][k].noise, b[step][k].noise));
      CHECK(at::equal(a[step][k].timesteps, b[step][k].timesteps));
      CHECK(a[step][k].samples.front().caption == b[step][k].samples.front().caption);
    }
  }
}

}  // namespace

TEST_CASE("cached latents are those of encoding at every access", "[training][data]") {
  const TemporaryFolder folder;
  StageSettings settings;
  settings.data = flip_data();
  settings.train.accumulation = 2;
  const TrainingData::Options options{.seed = 4, .steps = 6, .photos = write_photos(folder, 3, 80, 64)};
  const auto cached = batches_of(settings, options);
  auto uncached_options = options;
  uncached_options.cache = false;
  check_same(cached, batches_of(settings, uncached_options));
  CHECK(cached.front().size() == 2);
  CHECK(cached.front().front().latents.sizes() == at::IntArrayRef({2, 4, 8, 8}));
  CHECK_FALSE(at::equal(cached[0][0].noise, cached[0][1].noise));
}

TEST_CASE("photos that lie in memory are those of their files, in the concept's half and the class's",
          "[training][data]") {
  const TemporaryFolder folder;
  StageSettings settings;
  settings.data = jitter_data();
  settings.prior = true;
  const auto photos = write_photos(folder, 3, 80, 64);
  const auto images = write_photos(folder, 2, 64, 64, "class");
  std::vector<std::shared_ptr<const MappedFile>> files;
  const auto in_memory = [&](std::vector<Photo> all) {
    for (Photo& photo : all) {
      files.push_back(MappedFile::open(photo.path));
      photo.bytes = files.back()->bytes();
      photo.path = "no such file";
    }
    return all;
  };
  const auto from_files = batches_of(settings, {.seed = 4, .steps = 6, .photos = photos, .class_photos = images});
  const auto from_memory =
      batches_of(settings, {.seed = 4, .steps = 6, .photos = in_memory(photos), .class_photos = in_memory(images)});
  check_same(from_files, from_memory);
  CHECK(from_memory.front().front().instance_rows == 2);
  CHECK(from_memory.front().front().size() == 4);
}

TEST_CASE("SDXL is told a square, or where asked each photo's size and the place of its crop", "[training][data]") {
  const TemporaryFolder folder;
  const auto checkpoint = std::make_shared<const Checkpoint>(
      Checkpoint::open(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/sdxl"));
  const Base base(checkpoint, Placement{});
  StageSettings settings;
  settings.data = flip_data();
  settings.data.recipe.random_crop = true;
  settings.prior = true;
  const TrainingData::Options options{.seed = 4,
                                      .steps = 6,
                                      .photos = write_photos(folder, 3, 80, 64),
                                      .class_photos = write_photos(folder, 2, 64, 96, "class")};
  const auto ids_of = [&](bool told, std::int64_t step) {
    settings.data.tells_photos = told;
    const auto stage = make_stage(settings);
    TrainingData data(base, *stage, options);
    return data.batches(step).front().time_ids;
  };
  const Tensor square = at::tensor({64.0F, 64.0F, 0.0F, 0.0F, 64.0F, 64.0F});
  for (const Tensor& row : ids_of(false, 0).unbind()) CHECK(at::equal(row, square));
  std::set<float> places;
  for (std::int64_t step = 0; step < 6; ++step) {
    const Tensor ids = ids_of(true, step);
    REQUIRE(ids.sizes() == at::IntArrayRef({4, 6}));
    for (std::int64_t row = 0; row < 4; ++row) {
      RandomDraws draws({.seed = 4, .stage = 0, .step = step, .slot = row});
      const bool of_class = row >= 2, flip = draws.happens("flip", 0.5);
      const auto spare = of_class ? 0 : 16;  // the shorter side is 64 already
      const auto top = draws.below("crop_top", of_class ? 33 : 1), left = draws.below("crop_left", spare + 1);
      const Tensor expected = at::tensor({of_class ? 96.0F : 64.0F, of_class ? 64.0F : 80.0F, static_cast<float>(top),
                                          static_cast<float>(flip ? spare - left : left), 64.0F, 64.0F});
      CHECK(at::equal(ids[row], expected));
      places.insert(ids[row][3].item<float>());
    }
  }
  CHECK(places.size() > 3);
}

TEST_CASE("a batch can be made again at any time, also where pictures are encoded ahead", "[training][data]") {
  const TemporaryFolder folder;
  StageSettings settings;
  settings.data = jitter_data();
  const auto base = tiny_base();
  const auto stage = make_stage(settings);
  const TrainingData::Options options{.seed = 4, .steps = 6, .photos = write_photos(folder, 3, 80, 64)};
  TrainingData data(*base, *stage, options);
  const auto forward = batches_of(settings, options);
  for (const std::int64_t step : {5, 2, 3, 0}) {
    const auto again = data.batches(step);
    CHECK(at::equal(again.front().latents, forward[static_cast<std::size_t>(step)].front().latents));
  }
}

TEST_CASE("frozen variants: as many pictures of a photo as asked", "[training][data]") {
  const TemporaryFolder folder;
  const auto base = tiny_base();
  DataSpec data = jitter_data();
  data.cache_latents = 2;
  LatentSource source(*base, {.photos = write_photos(folder, 1, 80, 64), .data = data, .seed = 3});
  std::set<float> means;
  for (std::int64_t step = 0; step < 12; ++step) {
    GivenDraws draws;  // without the posterior's noise what remains is the mean
    draws.give("variant", step % 2);
    draws.give("posterior", at::zeros({4, 8, 8}));
    means.insert(source.latents(0, draws).sum().item<float>());
  }
  CHECK(means.size() == 2);
  CHECK(source.complete());
}

TEST_CASE("class images: as many rows follow, with captions of their own", "[training][data]") {
  const TemporaryFolder folder;
  StageSettings settings;
  settings.data = flip_data();
  settings.train.batch = 2;
  const auto batches = batches_of(settings, {.seed = 4,
                                             .steps = 6,
                                             .photos = write_photos(folder, 2),
                                             .class_photos = write_photos(folder, 3, 64, 64, "class")});
  for (const auto& step : batches) {
    const BatchInputs& batch = step.front();
    REQUIRE(batch.size() == 4);
    CHECK(batch.instance_rows == 2);
    for (std::size_t row = 0; row < 4; ++row) {
      CHECK((batch.samples[row].caption.find("<new>") != std::string::npos) == (row < 2));
    }
  }
}

TEST_CASE("offset noise shifts whole channels of the drawn noise", "[training][data]") {
  const TemporaryFolder folder;
  StageSettings settings;
  settings.data = flip_data();
  const TrainingData::Options options{.seed = 4, .steps = 6, .photos = write_photos(folder, 2)};
  const auto plain = batches_of(settings, options);
  settings.train.offset_noise = 0.1;
  const auto shifted = batches_of(settings, options);
  const Tensor difference = shifted[0][0].noise - plain[0][0].noise;  // [2, 4, 8, 8]
  CHECK(difference.flatten(2).std(-1).max().item<float>() < 1e-6);
  CHECK(difference.abs().max().item<float>() > 1e-3);
}

TEST_CASE("frozen text is encoded once for each prompt and variant, and equals encoding in a batch",
          "[training][data]") {
  const at::NoGradGuard no_grad;
  Session session(tiny_base());
  FrozenText text(session);
  const TextCondition rows = text.rows(std::vector<std::string>{"a cat", "a dog", "a cat"});
  CHECK(text.size() == 2);
  CHECK(at::equal(rows.context[0], rows.context[2]));
  CHECK(at::allclose(rows.context, session.encode({"a cat", "a dog", "a cat"}).context, 1e-5, 1e-6));
  CHECK_FALSE(rows.pooled.defined());
  EncodeOptions skipped;
  skipped.clip_skip = 1;
  (void)text.rows({{.text = "a cat", .variant = "skipped", .options = skipped}});
  CHECK(text.size() == 3);
}
