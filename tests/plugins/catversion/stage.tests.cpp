// The training of the prefix: what learns, how fast, under which caption; and that it does learn.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>

#include <cmath>

#include "framework/core/error.h"
#include "framework/training/photo_order.h"
#include "tests/plugins/catversion/world.h"

using namespace atelier;
using catversion::ConcatStage;
using catversion_world::batch_for;
using catversion_world::settings;

TEST_CASE("catversion: nothing learns but the prefix, which has a gradient in every key and value",
          "[catversion][stage]") {
  const auto base = tiny::base("sd15");
  Session session(base);
  ConcatStage stage(settings({{"layers", {0, 1, 2}}}));
  RandomDraws initial({.seed = 3, .step = -1, .slot = -1});
  TensorMap before;
  const auto visit = [&](const auto& call) {
    for (const auto& [name, slot] : session.unet().registry().parameters) call("unet." + name, *slot);
    for (const auto& [name, slot] : session.text(0).registry().parameters) call("text_encoder." + name, *slot);
  };
  visit([&](const std::string& name, const Tensor& value) { before[name] = value.clone(); });
  Trainer trainer(session, stage, Start(), initial);
  Tensor gradient;
  trainer.on_gradients([&](const FlatParameters& parameters) {
    for (const auto& slot : parameters.slots()) gradient = slot.parameter.tensor.grad().clone();
  });
  tiny::Kept start, end;
  stage.save(start);
  RandomDraws draws({.seed = 1, .step = 0, .slot = -1});
  trainer.step(batch_for(stage, 0), draws);
  stage.save(end);
  visit([&](const std::string& name, const Tensor& value) {
    INFO(name);
    CHECK(at::equal(value, before.at(name)));
    CHECK_FALSE(value.requires_grad());
  });
  REQUIRE(end.tensors.size() == 1);
  CHECK(end.tensors.at(catversion::kControlTrans).numel() == 3 * 2 * 32);
  CHECK_FALSE(at::equal(start.tensors.at(catversion::kControlTrans), end.tensors.at(catversion::kControlTrans)));
  REQUIRE(gradient.numel() == 3 * 2 * 32);
  for (const Tensor& segment : gradient.view({6, 32}).unbind()) CHECK(segment.abs().max().item<double>() > 0.0);
}

TEST_CASE("catversion: the rate is that of one device: 0.005 times the batch, with decay", "[catversion][stage]") {
  Session session(tiny::base("sd15"));
  RandomDraws draws({.step = -1, .slot = -1});
  ConcatStage stage(settings(Json::object()));
  const auto groups = stage.attach(session, Start(), draws);
  REQUIRE(groups.size() == 1);
  CHECK(groups.front().learning_rate == 0.01);
  CHECK(std::abs(1.0 - groups.front().learning_rate * groups.front().weight_decay - 0.9999) < 1e-12);
  CHECK(stage.train().max_grad_norm == 0.0);
  CHECK(stage.train().batch == 2);
  tiny::Kept kept;
  stage.save(kept);
  CHECK(kept.notes.at("effective_learning_rate") == "1.00e-02");
  CHECK(settings({{"concat.scale_lr", false}}).learning_rate == 0.005);
  CHECK(settings({{"concat.train_batch_size", 4}, {"concat.gradient_accumulation_steps", 3}}).learning_rate == 0.06);
}

TEST_CASE("catversion: an epoch of five photos has 250 batches, and a photo two pictures", "[catversion][stage]") {
  const auto data = settings(Json::object()).data;
  const auto epoch = [&](std::int64_t photos) {
    return PhotoOrder({.photos = photos, .repeats = data.repeats, .batch = 2, .drop_last = data.drop_last})
        .batches_per_epoch();
  };
  CHECK(epoch(5) == 250);
  CHECK(epoch(7) == 350);
  CHECK(data.recipe.outcomes({1856, 2475}) == 2);
  CHECK(data.recipe.transform.squash);
  CHECK(data.recipe.exif == ExifRule::ignore);
}

TEST_CASE("catversion: the prefix starts from a standard normal draw of the run's seed", "[catversion][stage]") {
  const auto start_of = [](std::uint64_t seed, const Json& chosen) {
    Session session(tiny::base("sd15"));
    RandomDraws draws({.seed = seed, .step = -1, .slot = -1});
    ConcatStage stage(settings(chosen));
    return stage.attach(session, Start(), draws).front().parameters.front().tensor.detach().clone();
  };
  const Tensor many = start_of(1, {{"prefix_length", 40}});  // 5120 numbers
  CHECK(std::abs(many.mean().item<double>()) < 0.06);
  CHECK(std::abs(many.std().item<double>() - 1.0) < 0.05);
  CHECK(at::equal(start_of(1, Json::object()), start_of(1, Json::object())));
  CHECK_FALSE(at::equal(start_of(1, Json::object()), start_of(2, Json::object())));
}

TEST_CASE("catversion: the caption is the class word, another word, or nothing where that is asked for",
          "[catversion][stage]") {
  const auto caption = [](const Json& chosen, const std::string& class_word) {
    ConcatStage stage(settings(chosen, class_word));
    Sample sample;
    RandomDraws draws({});
    stage.describe({.path = {}, .caption = "its own caption", .base_caption = {}}, sample, draws);
    return sample.caption;
  };
  CHECK(caption(Json::object(), "dog") == "dog");
  CHECK(caption({{"caption", "colorful_teapot"}}, "teapot") == "colorful_teapot");
  CHECK(caption({{"caption", ""}, {"allow_empty_caption", true}}, "teapot") == "");
  CHECK_THROWS_WITH(caption({{"caption", ""}}, "teapot"),
                    Catch::Contains("empty caption") && Catch::Contains("allow_empty_caption"));
}

TEST_CASE("catversion: a base with two text encoders, or too few layers, is refused in words", "[catversion][stage]") {
  RandomDraws draws({});
  Session two(tiny::base("sdxl")), small(tiny::base("sd15"));
  ConcatStage stage(settings(Json::object())), published(settings({{"layers", {9, 10, 11}}}));
  CHECK_THROWS_WITH(stage.attach(two, Start(), draws), Catch::Contains("two text encoders"));
  CHECK_THROWS_WITH(published.attach(small, Start(), draws), Catch::Contains("layer 9") && Catch::Contains("0 to 2"));
}

TEST_CASE("catversion: training lowers the loss of a fixed batch and keeps the prefix near unit scale",
          "[catversion][stage]") {
  Session session(tiny::base("sd15"));
  ConcatStage stage(settings(Json::object()));
  RandomDraws initial({.seed = 3, .step = -1, .slot = -1});
  Trainer trainer(session, stage, Start(), initial);
  std::vector<double> losses;
  for (std::int64_t step = 0; step < 30; ++step) {
    RandomDraws draws({.seed = 1, .step = step, .slot = -1});
    trainer.step(batch_for(stage, 0), draws);
    const at::NoGradGuard no_grad;
    const auto fixed = batch_for(stage, 0);
    Batch batch = tiny::batch(session.base(), 2, 2);
    const auto noise = read_training_noise(session.base().checkpoint().scheduler_config());
    batch.latents = fixed.latents, batch.noise = batch.target = fixed.noise, batch.timesteps = fixed.timesteps;
    batch.noisy_latents = noise.schedule.add_noise(fixed.latents, fixed.noise, fixed.timesteps);
    Reduced reduced;
    losses.push_back(
        tiny::loss_of(stage, stage.forward(batch, stage.per_step(fixed.samples, draws)), reduced).item<double>());
  }
  CHECK(losses.back() < losses.front());
  tiny::Kept kept;
  stage.save(kept);
  const double scale = kept.tensors.at(catversion::kControlTrans).std().item<double>();
  CHECK(scale > 0.8);
  CHECK(scale < 1.4);
}
