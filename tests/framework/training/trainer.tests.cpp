#include "framework/training/trainer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <c10/util/Exception.h>

#include "framework/models/unet.h"
#include "framework/training/given_draws.h"
#include "tests/framework/training/training_support.h"
#include "tests/support/catch_torch.h"

using namespace atelier;
using namespace training_test;

namespace {

/// Loss, terms and gradients of the first step.
struct FirstStep {
  StepResult result;
  TensorMap gradients;
};

FirstStep first_step(StageSettings settings, std::int64_t micro_batch, const BatchInputs& inputs,
                     const Start& start = {}) {
  settings.train.micro_batch = micro_batch;
  Session session(tiny_base(at::kDouble));
  const auto stage = make_stage(settings);
  RandomDraws initial({.seed = 1, .stage = 0, .step = -1, .slot = -1});
  Trainer trainer(session, *stage, start, initial);
  FirstStep step;
  trainer.on_gradients([&](const FlatParameters& parameters) {
    for (const auto& slot : parameters.slots()) {
      step.gradients[slot.parameter.name] = FlatParameters::view(parameters.gradients(), slot).clone();
    }
  });
  RandomDraws draws({.seed = 1, .stage = 0, .step = 0, .slot = -1});
  step.result = trainer.step(inputs, draws);
  return step;
}

double largest_difference(const TensorMap& a, const TensorMap& b) {
  double largest = 0.0;
  for (const auto& [name, tensor] : a) {
    largest = std::max(largest, (tensor - b.at(name)).abs().max().item<double>());
  }
  return largest;
}

void check_equal(const FirstStep& split, const FirstStep& whole) {
  CHECK(split.result.loss.item<double>() == Approx(whole.result.loss.item<double>()).epsilon(1e-11));
  CHECK(split.result.grad_norm.item<double>() == Approx(whole.result.grad_norm.item<double>()).epsilon(1e-9));
  REQUIRE(split.result.terms.size() == whole.result.terms.size());
  for (const auto& [name, term] : whole.result.terms) {
    CHECK(split.result.terms.at(name).item<double>() == Approx(term.item<double>()).epsilon(1e-11));
  }
  CHECK(largest_difference(split.gradients, whole.gradients) < 1e-10);
}

double largest(const TensorMap& map) {
  double value = 0.0;
  for (const auto& [name, tensor] : map) value = std::max(value, tensor.abs().max().item<double>());
  return value;
}

}  // namespace

TEST_CASE("a split batch has the loss and gradient of the whole one", "[training][trainer]") {
  StageSettings settings;
  settings.train.batch = 5;
  settings.train.loss_divisor = 4.0;
  settings.summed = GENERATE(false, true);
  settings.prior = GENERATE(false, true);
  settings.nonlinear = GENERATE(false, true);
  if (settings.prior && settings.nonlinear) return;
  const BatchInputs inputs = random_inputs(5, settings.prior ? 3 : 5, 9);
  const FirstStep whole = first_step(settings, 0, inputs);
  CHECK(largest(whole.gradients) > 1e-6);
  for (const std::int64_t rows : {1, 2, 3}) {
    INFO("pieces of " << rows << ", summed " << settings.summed << ", prior " << settings.prior << ", nonlinear "
                      << settings.nonlinear);
    check_equal(first_step(settings, rows, inputs), whole);
  }
}

TEST_CASE("the divisor acts on gradients and not on the reported loss", "[training][trainer]") {
  StageSettings settings;
  const BatchInputs inputs = random_inputs(2, 2, 3);
  const FirstStep plain = first_step(settings, 0, inputs);
  settings.train.loss_divisor = 4.0;
  const FirstStep divided = first_step(settings, 0, inputs);
  CHECK(divided.result.loss.item<double>() == plain.result.loss.item<double>());
  for (const auto& [name, gradient] : plain.gradients) {
    CHECK(at::allclose(divided.gradients.at(name) * 4, gradient, 1e-10, 1e-16));
  }
}

TEST_CASE("a step in which memory runs out is done again in smaller pieces, with the same loss and gradient",
          "[training][trainer]") {
  const bool nonlinear = GENERATE(false, true);
  StageSettings settings;
  settings.nonlinear = nonlinear;
  const BatchInputs inputs = random_inputs(4, 4, 3);
  const FirstStep whole = first_step(settings, 0, inputs);
  SECTION("where a piece is too large for the device") {
    settings.most_rows = 2;
    check_equal(first_step(settings, 0, inputs), whole);
  }
  SECTION("where the host's allocator fails") {
    settings.most_rows = 1;
    settings.host_memory = true;
    check_equal(first_step(settings, 0, inputs), whole);
  }
  SECTION("in the middle of a step, when some pieces have left their gradient") {
    settings.failing_call = nonlinear ? 3 : 1;  // of two pieces: the second backward
    check_equal(first_step(settings, 2, inputs), whole);
  }
}

TEST_CASE("each time memory runs out the new size is told, and it stays", "[training][trainer]") {
  StageSettings settings;
  settings.most_rows = 2;
  Session session(tiny_base(at::kDouble));
  const auto stage = make_stage(settings);
  RandomDraws initial({.seed = 1, .stage = 0, .step = -1, .slot = -1}), draws({.seed = 1});
  Trainer trainer(session, *stage, {}, initial);
  std::vector<std::int64_t> sizes;
  trainer.on_split([&](std::int64_t rows) { sizes.push_back(rows); });
  const BatchInputs inputs = random_inputs(6, 6, 3);
  (void)trainer.step(inputs, draws);
  (void)trainer.step(inputs, draws);
  CHECK(sizes == std::vector<std::int64_t>{3, 2});
  CHECK(trainer.micro_batch() == 2);
}

TEST_CASE("where one row is too many, the error goes up", "[training][trainer]") {
  StageSettings settings;
  settings.failing_call = 0;
  CHECK_THROWS_AS(first_step(settings, 1, random_inputs(2, 2, 3)), c10::OutOfMemoryError);
}

TEST_CASE("accumulated batches add their gradients, and carried gradients are there before the first",
          "[training][trainer]") {
  StageSettings settings;
  const BatchInputs one = random_inputs(2, 2, 3), two = random_inputs(2, 2, 4);
  const FirstStep a = first_step(settings, 0, one), b = first_step(settings, 0, two);

  Session session(tiny_base(at::kDouble));
  const auto stage = make_stage(settings);
  RandomDraws initial({.seed = 1, .stage = 0, .step = -1, .slot = -1});
  TensorMap carried;
  const std::string name = a.gradients.rbegin()->first;
  carried["carry." + name] = at::full_like(a.gradients.at(name), 0.25);
  Trainer trainer(session, *stage, Start(carried), initial);
  TensorMap gradients;
  trainer.on_gradients([&](const FlatParameters& parameters) {
    for (const auto& slot : parameters.slots()) {
      gradients[slot.parameter.name] = FlatParameters::view(parameters.gradients(), slot).clone();
    }
  });
  RandomDraws draws({.seed = 1, .stage = 0, .step = 0, .slot = -1});
  const std::vector<TrainingBatch> batches{{one, &draws}, {two, &draws}};
  const StepResult result = trainer.step(batches);
  CHECK(result.loss.item<double>() ==
        Approx((a.result.loss.item<double>() + b.result.loss.item<double>()) / 2).epsilon(1e-12));
  for (const auto& [parameter, gradient] : gradients) {
    const Tensor sum = a.gradients.at(parameter) + b.gradients.at(parameter) + (parameter == name ? 0.25 : 0.0);
    INFO(parameter);
    CHECK(at::allclose(gradient, sum, 1e-9, 1e-14));
  }
  (void)trainer.step(one, draws);
  CHECK((gradients.at(name)).abs().max().item<double>() < 0.2);  // carried into the first step only
}

TEST_CASE("gradients of an accumulated group pile up over steps without moving it", "[training][trainer]") {
  StageSettings settings;
  settings.accumulate_lora = true;
  Session session(tiny_base(at::kDouble));
  const auto stage = make_stage(settings);
  RandomDraws initial({.seed = 1, .stage = 0, .step = -1, .slot = -1}), draws({.seed = 1});
  Trainer trainer(session, *stage, {}, initial);
  const auto& slots = trainer.parameters().slots();
  const auto piled = [&] { return FlatParameters::view(trainer.parameters().gradients(), slots.back()).clone(); };
  const Tensor before = slots.back().parameter.tensor.detach().clone();
  (void)trainer.step(random_inputs(2, 2, 3), draws);
  const Tensor first = piled();
  (void)trainer.step(random_inputs(2, 2, 4), draws);
  CHECK(first.abs().max().item<double>() > 0);
  CHECK_FALSE(at::allclose(piled(), first, 1e-3, 0));
  CHECK(at::equal(slots.back().parameter.tensor, before));
}

TEST_CASE("whatever is not trained keeps its bits", "[training][trainer]") {
  const auto base = tiny_base();
  Session session(base), untouched(base);
  StageSettings settings;
  settings.unfreeze = "unet.mid_block.resnets.0.conv1.weight";
  const auto stage = make_stage(settings);
  RandomDraws initial({.seed = 1, .stage = 0, .step = -1, .slot = -1}), draws({.seed = 1});
  std::map<std::string, Tensor> before;
  for (const auto& [name, slot] : untouched.unet().registry().parameters) before[name] = slot->clone();
  Trainer trainer(session, *stage, {}, initial);
  for (std::uint64_t k = 0; k < 3; ++k) (void)trainer.step(random_inputs(2, 2, k), draws);
  int changed = 0;
  for (const auto& [name, slot] : session.unet().registry().parameters)
    changed += at::equal(*slot, before[name]) ? 0 : 1;
  CHECK(changed == 1);
  for (const auto& [name, slot] : untouched.unet().registry().parameters) CHECK(at::equal(*slot, before[name]));
}

TEST_CASE("an evaluation between steps sees the weights of now", "[training][trainer]") {
  Session session(tiny_base());
  StageSettings settings;
  settings.unfreeze = "unet.mid_block.resnets.0.conv1.weight";
  const auto stage = make_stage(settings);
  RandomDraws initial({.seed = 1, .stage = 0, .step = -1, .slot = -1}), draws({.seed = 1});
  Trainer trainer(session, *stage, {}, initial);
  const BatchInputs inputs = random_inputs(2, 2, 1);
  const auto evaluate = [&] { return trainer.loss().evaluate(inputs, draws).loss.item<float>(); };
  const float before = evaluate();
  const StepResult result = trainer.step(inputs, draws);
  CHECK(result.loss.item<float>() == Approx(before).epsilon(1e-5));
  const float after = evaluate();
  CHECK(after != before);
  CHECK(trainer.step(inputs, draws).loss.item<float>() == Approx(after).epsilon(1e-5));
}

TEST_CASE("a batch whose parts do not fit is refused", "[training][trainer]") {
  Session session(tiny_base());
  const auto stage = make_stage({});
  RandomDraws initial({.seed = 1, .stage = 0, .step = -1, .slot = -1});
  Trainer trainer(session, *stage, {}, initial);
  BatchInputs inputs = random_inputs(2, 2, 1);
  inputs.samples.pop_back();
  GivenDraws draws("batch.0");
  CHECK_THROWS_WITH(trainer.step(inputs, draws), Catch::Contains("training batch"));
  CHECK_THROWS_WITH(trainer.step(random_inputs(2, 2, 1), draws), Catch::Contains("draw mask[0]: not given"));
}
