// What the published optimizer does to what learns.
#include <ATen/ops/equal.h>

#include "tests/plugins/attndreambooth/world.h"

using namespace attn_world;

namespace {

/// One step of a stage: what learned before and after, and the gradients.
struct FirstStep {
  TensorMap before, after, gradients;
};

FirstStep first_step(const std::string& stage, const Json& chosen = Json::object()) {
  Run run(settings_for(stage, chosen));
  FirstStep step;
  for (const auto& slot : run.trainer.parameters().slots()) {
    step.before[slot.parameter.name] = slot.parameter.tensor.detach().clone();
  }
  step.gradients = run.gradients(batch_for(*run.stage, 0));
  for (const auto& slot : run.trainer.parameters().slots()) {
    step.after[slot.parameter.name] = slot.parameter.tensor.detach().clone();
  }
  return step;
}

double largest(const Tensor& values) { return values.abs().max().item<double>(); }

}  // namespace

TEST_CASE("The first step of the token is decay and a move by the rate, element by element",
          "[attndreambooth][optimizer]") {
  const FirstStep step = first_step("embedding");
  const Tensor g = step.gradients.at(kToken).to(at::kDouble), v = step.before.at(kToken).to(at::kDouble);
  const Tensor expected = v * (1.0 - 1e-5) - 1e-3 * g / (g.abs() + 1e-8);
  CHECK(largest(step.after.at(kToken).to(at::kDouble) - expected) < 1e-7);
}

TEST_CASE("No weight moves by more than the learning rate and its decay in the first step",
          "[attndreambooth][optimizer]") {
  const std::vector<std::pair<std::string, double>> stages{{"attention", 2e-5}, {"identity", 2e-6}};
  for (const auto& [stage, rate] : stages) {
    const FirstStep step = first_step(stage);
    double most = 0.0;
    for (const auto& [name, before] : step.before) {
      const Tensor decayed = before.to(at::kDouble) * (1.0 - rate * 1e-2);
      const Tensor moved = step.after.at(name).to(at::kDouble) - decayed;
      // One rounding of a float32 weight is all that may come on top.
      const double rounding = 1.2e-7 * largest(before);
      CHECK(largest(moved) <= rate + rounding);
      most = std::max(most, largest(moved));
    }
    CHECK(most > 0.9 * rate);
  }
}

TEST_CASE("Gradients are not clipped by default, and are where asked", "[attndreambooth][optimizer]") {
  // A loss a million times as large: the regulariser's.
  const Json huge{{"attention.reg_mean_weight", 2e9}};
  Run run(settings_for("attention", huge));
  const TensorMap gradients = run.gradients(batch_for(*run.stage, 0));
  const double norm = run.result.grad_norm.item<double>();
  CHECK(norm > 1e3);
  const Tensor moment = run.trainer.state().at("first." + gradients.begin()->first);
  CHECK(largest(moment - 0.1 * gradients.begin()->second) <= 1e-6 * largest(moment));
  Json clipped = huge;
  clipped["attention.max_grad_norm"] = 1.0;
  Run limited(settings_for("attention", clipped));
  (void)limited.gradients(batch_for(*limited.stage, 0));
  const Tensor small = limited.trainer.state().at("first." + gradients.begin()->first);
  CHECK(largest(small * norm - moment) < 1e-3 * largest(moment));
}

TEST_CASE("Sixty steps displace the token by at most sixty rates", "[attndreambooth][optimizer]") {
  Run run(settings_for("embedding", {{"embedding.train_batch_size", 1}}));
  const Tensor start = run.published().at(kToken);
  run.steps(60, 1);
  const double moved = largest(run.published().at(kToken) - start);
  CHECK(moved <= 0.061);
  CHECK(moved > 0.005);
}

TEST_CASE("A constant factor of the whole loss hardly changes Adam's path, another weight of the regulariser does",
          "[attndreambooth][optimizer]") {
  // Four accumulation steps divide the loss of every batch by 4.
  const auto path = [](double mean, bool divided) {
    Json chosen{
        {"attention.learning_rate", 1e-3}, {"attention.reg_mean_weight", mean}, {"attention.reg_var_weight", 0.0}};
    if (divided) chosen.update({{"attention.gradient_accumulation_steps", 4}, {"reg_accumulation", "divided"}});
    Run run(settings_for("attention", chosen));
    run.steps(2);
    return run.published();
  };
  const TensorMap plain = path(200.0, false), quarter = path(200.0, true), other = path(800.0, false);
  double same = 0.0, changed = 0.0;
  for (const auto& [name, value] : plain) {
    same += (quarter.at(name) - value).square().sum().item<double>();
    changed += (other.at(name) - value).square().sum().item<double>();
  }
  CHECK(same < 1e-3 * changed);
}
