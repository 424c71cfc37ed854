// The three stages in the framework's trainer, on a tiny model.
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <iostream>

#include "framework/core/error.h"
#include "framework/formats/known_configs.h"
#include "framework/methods/trainable.h"
#include "tests/plugins/attndreambooth/world.h"

using namespace attn_world;

namespace {

/// Rates at which a step shows in float32.
Json quick() {
  return {{"embedding.learning_rate", 1e-2}, {"attention.learning_rate", 1e-3}, {"identity.learning_rate", 1e-3}};
}

bool of_attention(const std::string& name) { return name.find("attn2") != std::string::npos; }

/// Which weights of the base a stage changed, and whether the token moved. Checks that everything else is the same.
std::size_t changed_weights(Run& run, const TensorMap& before, bool (*learns)(const std::string&)) {
  std::size_t changed = 0;
  for (const auto& [name, value] : run.weights()) {
    INFO(name);
    const bool same = at::equal(value, before.at(name));
    CHECK(same != learns(name));
    changed += same ? 0 : 1;
  }
  return changed;
}

/// Of all tensors together, relative.
double difference(const TensorMap& found, const TensorMap& expected) {
  double error = 0.0, size = 0.0;
  for (const auto& [name, value] : expected) {
    error += (found.at(name) - value).square().sum().item<double>();
    size += value.square().sum().item<double>();
  }
  return std::sqrt(error / size);
}

struct RealCounts {
  std::int64_t tensors = 0, numbers = 0;
};

/// Of Stable Diffusion 2.1-base's UNet, by names that hold `part`, without memory: one zero, expanded.
RealCounts real_counts(const std::string& part) {
  const auto maker = [](const std::string&, at::IntArrayRef shape) { return at::zeros({1}).expand(shape); };
  UNet unet(known_configs(Family::sd2, true).at("unet"), Weights("real shapes", {}, maker, Placement{}));
  RealCounts counts;
  for (const auto& [name, slot] : unet.registry().parameters) {
    if (!matches("unet.*" + part, "unet." + name)) continue;
    ++counts.tensors;
    counts.numbers += slot->numel();
  }
  return counts;
}

}  // namespace

TEST_CASE("Every stage changes what it trains and nothing else, and begins where the one before ended",
          "[attndreambooth][stages]") {
  Run first(settings_for("embedding", quick()));
  const TensorMap base = first.weights();
  const Tensor row = first.published().at(kToken);
  first.steps(2);
  const TensorMap embedding = first.published();
  CHECK(embedding.size() == 1);
  CHECK_FALSE(at::equal(embedding.at(kToken), row));
  CHECK(changed_weights(first, base, [](const std::string&) { return false; }) == 0);

  Run second(settings_for("attention", quick()), Start(embedding));
  second.steps(2);
  const TensorMap attention = second.published();
  CHECK(attention.size() == 81);
  CHECK(at::equal(attention.at(kToken), embedding.at(kToken)));
  CHECK(changed_weights(second, base, of_attention) == 80);

  Run third(settings_for("identity", quick()), Start(attention));
  const TensorMap start = third.weights();
  for (const auto& [name, value] : start) {
    INFO(name);
    CHECK(at::equal(value, attention.contains(name) ? attention.at(name) : base.at(name)));
  }
  third.steps(2);
  const TensorMap identity = third.published();
  const auto unet = [](const std::string& name) { return name.starts_with("unet."); };
  const std::size_t all = changed_weights(third, start, unet);
  CHECK(all == 688);  // the tiny model has two shortcuts more than the real one
  CHECK(identity.size() == all + 1);
  CHECK(at::equal(identity.at(kToken), embedding.at(kToken)));
}

TEST_CASE("Real shapes: 1,024, 50,352,320 and 865,910,724 numbers learn", "[attndreambooth][stages]") {
  const RealCounts attention = real_counts("attn2*"), identity = real_counts("");
  const auto width = known_configs(Family::sd2, true).at("text_encoder").at("hidden_size").get<std::int64_t>();
  std::cout << "attndreambooth trains " << width << ", " << attention.numbers << " in " << attention.tensors << ", "
            << identity.numbers << " in " << identity.tensors << " tensors\n";
  CHECK(width == 1024);
  CHECK(attention.tensors == 80);
  CHECK(attention.numbers == 50352320);
  CHECK(identity.tensors == 686);
  CHECK(identity.numbers == 865910724);
}

TEST_CASE("A batch of 8 has the gradient of 4 pieces of 2, the regulariser among it", "[attndreambooth][stages]") {
  for (const char* stage : {"embedding", "attention"}) {  // of `identity`: tests/parity
    const Json strong{{std::string(stage) + ".reg_mean_weight", 200.0},
                      {std::string(stage) + ".reg_var_weight", 500.0}};
    Json pieces = strong;
    pieces[std::string(stage) + ".micro_batch_size"] = 2;
    Run whole(settings_for(stage, strong)), split(settings_for(stage, pieces));
    const auto batch = batch_for(*whole.stage, 0, 8);
    const TensorMap expected = whole.gradients(batch), found = split.gradients(batch);
    CAPTURE(stage);
    CHECK(difference(found, expected) < 1e-5);
    CHECK(split.result.loss.item<double>() == Approx(whole.result.loss.item<double>()).epsilon(1e-5));
    CHECK(whole.result.terms.at("attn_mean").item<double>() > 0.0);
  }
}

TEST_CASE("The regulariser is a sum over rows, the error their mean", "[attndreambooth][stages]") {
  Run run(settings_for("attention", {{"attention.learning_rate", 0.0}}));
  const auto one = batch_for(*run.stage, 0, 1);
  BatchInputs two = one;
  for (Tensor* tensor : {&two.latents, &two.noise, &two.timesteps}) *tensor = at::cat({*tensor, *tensor});
  two.samples.push_back(two.samples.front());
  two.instance_rows = 2;
  (void)run.gradients(one);
  const Reduced alone = run.result.terms;
  (void)run.gradients(two);
  CHECK(run.result.terms.at("mse").item<double>() == Approx(alone.at("mse").item<double>()).epsilon(1e-5));
  for (const char* term : {"attn_mean", "attn_var"}) {
    CHECK(run.result.terms.at(term).item<double>() == Approx(2 * alone.at(term).item<double>()).epsilon(1e-4));
  }
}

TEST_CASE("With prior preservation the class's images have an error of their own and no regulariser",
          "[attndreambooth][stages]") {
  const Json prior{{"with_prior_preservation", true}, {"prior_loss_weight", 0.5}, {"attention.learning_rate", 0.0}};
  Run plain(settings_for("attention", {{"attention.learning_rate", 0.0}})), both(settings_for("attention", prior));
  auto batch = batch_for(*both.stage, 0, 4, 2);
  CHECK(batch.samples[1].caption == "a photo of a new_concept_v0 man");
  CHECK(batch.samples[2].caption == "a photo of a man");
  (void)both.gradients(batch);
  const Reduced terms = both.result.terms;
  for (Tensor* tensor : {&batch.latents, &batch.noise, &batch.timesteps}) *tensor = tensor->narrow(0, 0, 2);
  batch.samples.resize(2);
  (void)plain.gradients(batch);
  for (const char* term : {"mse", "attn_mean", "attn_var"}) {
    CHECK(terms.at(term).item<double>() == Approx(plain.result.terms.at(term).item<double>()).epsilon(1e-4));
  }
  double loss = 0.0;
  for (const auto& [name, weight] : both.result.weights) loss += weight * terms.at(name).item<double>();
  CHECK(both.result.weights.at("prior") == 0.5);
  CHECK(both.result.loss.item<double>() == Approx(loss).epsilon(1e-6));
}

TEST_CASE("Recomputed activations change nothing", "[attndreambooth][stages]") {
  for (const char* stage : {"embedding", "identity"}) {
    Run kept(settings_for(stage)), again(settings_for(stage, {{"gradient_checkpointing", true}}));
    const auto batch = batch_for(*kept.stage, 0, 2);
    const TensorMap expected = kept.gradients(batch);
    CAPTURE(stage);
    // But for rounding: without a graph some layers take other kernels.
    CHECK(difference(again.gradients(batch), expected) < 1e-5);
  }
}

TEST_CASE("The conditioning of a stage whose token is frozen is encoded once and never changes",
          "[attndreambooth][stages]") {
  Run run(settings_for("attention", quick()));
  RandomDraws draws({.seed = 1, .stage = 0, .step = 0, .slot = -1});
  const auto context = [&] {
    return run.stage->per_step(batch_for(*run.stage, 0, 2).samples, draws).rows.at("caption.context").clone();
  };
  const Tensor before = context();
  run.steps(3);
  CHECK(at::equal(before, context()));
  CHECK(at::equal(before[0], run.session.encode({"a photo of a new_concept_v0 man"}).context[0]));
}

TEST_CASE("The regulariser begins far below the error, and a stage that trains on it lowers it",
          "[attndreambooth][stages]") {
  Run run(settings_for("attention", {{"attention.learning_rate", 2e-3}, {"attention.reg_mean_weight", 2000.0}}));
  const auto batch = batch_for(*run.stage, 0, 2);
  (void)run.gradients(batch);
  const Reduced before = run.result.terms;
  const double value = 2.0 * before.at("attn_mean").item<double>() + 5.0 * before.at("attn_var").item<double>();
  CHECK(value < 0.1 * before.at("mse").item<double>());
  for (int step = 0; step < 20; ++step) (void)run.gradients(batch);
  CHECK(run.result.terms.at("attn_mean").item<double>() < 0.5 * before.at("attn_mean").item<double>());
}

TEST_CASE("A base model with two text encoders is refused", "[attndreambooth][stages]") {
  CHECK_THROWS_WITH(Run(settings_for("embedding"), {}, "sdxl"), Catch::Contains("two text encoders"));
}
