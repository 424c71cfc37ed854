// gradient_checkpointing of every stage of every method: it decides memory, so no key holds it and no number but the
// last digits of gradients depends on it.
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "framework/config/option_builders.h"
#include "framework/methods/loader.h"
#include "framework/methods/stage_settings.h"
#include "framework/store/store.h"
#include "framework/training/trainer.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

std::vector<MethodPlugin> plugins() {
  std::vector<MethodPlugin> all;
  std::istringstream paths(ATELIER_PLUGINS);
  for (std::string path; std::getline(paths, path, ':');) all.push_back(MethodPlugin::open(path));
  return all;
}

/// What the tiny model cannot have: rows beyond its vocabulary, layers beyond its last.
Json small(const MethodSpec& spec) {
  Json chosen = Json::object();
  if (find_option(spec, "initializer_id") != nullptr) chosen["initializer_id"] = 100;
  if (find_option(spec, "layers") != nullptr) chosen["layers"] = {-2, -1};
  for (const char* rank : {"rank", "lora_rank"}) {
    if (find_option(spec, rank) != nullptr) chosen[rank] = 4;
  }
  return chosen;
}

struct Step {
  Tensor loss;
  TensorMap gradients;
};

BatchInputs batch_of(Stage& stage) {
  BatchInputs batch;
  batch.latents = tiny::random({2, 4, 8, 8}, 100);
  batch.noise = tiny::random({2, 4, 8, 8}, 200);
  batch.timesteps = at::arange(2) * 211 + 17;
  batch.instance_rows = 2;
  for (std::int64_t row = 0; row < 2; ++row) {
    RandomDraws draws({.seed = 1, .stage = 0, .step = 0, .slot = row});
    stage.describe({}, batch.samples.emplace_back(), draws);
  }
  return batch;
}

/// The stage's first loss, and the gradients of the last of its `steps`.
Step step_of(const MethodPlugin& plugin, const StageSpec& spec, bool recompute, c10::ScalarType type, int steps) {
  auto chosen = small(plugin.spec());
  chosen[kGradientCheckpointing] = recompute;
  const auto resolved = resolve_options(plugin.spec(), "", chosen, "test");
  PromptLists lists;
  for (const auto& id : spec.lists) lists[id] = {"a photo of a {}"};
  const Concept subject{.name = "x", .class_word = "man", .initializer = {}, .kind = "object"};
  Session session(tiny::base("sd15", type));
  const auto stage =
      plugin.create()->stage(spec.name, options_of_stage(plugin.spec(), spec.name, resolved), subject, lists);
  RandomDraws initial({.seed = 0, .stage = 0, .step = -1, .slot = -1});
  Trainer trainer(session, *stage, {}, initial);
  CHECK(session.recomputes_activations() == recompute);
  const auto batch = batch_of(*stage);
  Step made;
  for (int number = 0; number < steps; ++number) {
    trainer.on_gradients([&](const FlatParameters& parameters) {
      for (const auto& slot : parameters.slots()) {
        made.gradients[slot.parameter.name] = FlatParameters::view(parameters.gradients(), slot).clone();
      }
    });
    RandomDraws draws({.seed = 1, .stage = 0, .step = number, .slot = -1});
    const auto result = trainer.step(batch, draws);
    if (number == 0) made.loss = result.loss.clone();
  }
  return made;
}

double difference(const TensorMap& found, const TensorMap& expected) {
  double square = 0.0, size = 0.0;
  for (const auto& [name, tensor] : expected) {
    square += (found.at(name) - tensor).square().sum().item<double>();
    size += tensor.square().sum().item<double>();
  }
  REQUIRE(size > 0.0);
  return std::sqrt(square / size);
}

}  // namespace

TEST_CASE("recomputed activations leave every stage's loss as it is, to the bit, and its gradients but for rounding",
          "[plugins][memory]") {
  for (const auto& plugin : plugins()) {
    REQUIRE(find_option(plugin.spec(), kGradientCheckpointing) != nullptr);
    for (const auto& stage : plugin.spec().stages) {
      CAPTURE(plugin.spec().name, stage.name);
      const Step kept = step_of(plugin, stage, false, c10::kFloat, 1),
                 again = step_of(plugin, stage, true, c10::kFloat, 1);
      CHECK(at::equal(again.loss, kept.loss));
      const double error = difference(again.gradients, kept.gradients);
      CHECK(error < 1e-6);
      // The second step: low-rank updates whose ups begin at 0 have no gradient in the first.
      const double exact = difference(step_of(plugin, stage, true, c10::kDouble, 2).gradients,
                                      step_of(plugin, stage, false, c10::kDouble, 2).gradients);
      CHECK(exact < 1e-10);
      std::cout << fmt::format("{} {}: gradients differ by {:.1e}, in float64 by {:.1e}\n", plugin.spec().name,
                               stage.name, error, exact);
    }
  }
}

TEST_CASE("no key of any stage holds gradient_checkpointing, and every stage reads it", "[plugins][memory]") {
  for (const auto& plugin : plugins()) {
    const auto& spec = plugin.spec();
    const auto resolved = resolve_options(spec, "", Json{{kGradientCheckpointing, true}}, "test");
    CHECK_FALSE(deciding_options(spec, resolved).contains(kGradientCheckpointing));
    for (const auto& stage : spec.stages) {
      CAPTURE(spec.name, stage.name);
      CHECK(std::ranges::count(stage_reads(stage, resolved), kGradientCheckpointing) == 1);
      CHECK(std::ranges::count(stage_key_options(spec, stage, resolved), kGradientCheckpointing) == 0);
    }
  }
}

// The digest is Python's hashlib over json.dumps(…, sort_keys=True, separators=(",", ":")) of what the description of
// DreamBooth without gradient_checkpointing said its stage reads, with the defaults.
TEST_CASE("what of DreamBooth's options enters its key is what did before it had the option", "[plugins][memory]") {
  const auto all = plugins();
  const auto plugin =
      std::ranges::find_if(all, [](const MethodPlugin& each) { return each.spec().name == "dreambooth"; });
  REQUIRE(plugin != all.end());
  const auto& spec = plugin->spec();
  const auto resolved = resolve_options(spec, "", Json{{kGradientCheckpointing, true}}, "test");
  Json entered = Json::object();
  for (const auto& name : stage_key_options(spec, spec.stages.front(), resolved)) entered[name] = resolved.at(name);
  CHECK(key_of(entered) == "871a761470ffbdbd18110a0199a04dd1a2082996602162e9465675620b0c7fdb");
}
