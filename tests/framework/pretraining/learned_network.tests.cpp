#include "framework/pretraining/learned_network.h"

#include "framework/pretraining/step_draws.h"
#include "framework/pretraining/step_feed.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

/// A network of a kernel, a bias, a table and a scalar.
struct Toy {
  Tensor kernel = at::arange(2 * 3 * 2 * 2, at::kFloat).view({2, 3, 2, 2}) * 0.1;
  Tensor bias = at::ones({2});
  Tensor table = at::full({4, 2}, 1.0 / 3.0);
  Tensor scale = at::full({}, 0.7);

  std::map<std::string, Tensor*> slots() {
    return {{"kernel", &kernel}, {"bias", &bias}, {"table", &table}, {"scale", &scale}};
  }
};

}  // namespace

TEST_CASE("a network reads copies in the activations' type, and learns in float32", "[pretraining][network]") {
  Toy toy;
  const Toy start;
  LearnedNetwork network(toy.slots(), {"table"}, {.device = c10::kCPU, .dtype = c10::kBFloat16}, 0.01);
  CHECK(toy.kernel.scalar_type() == at::kBFloat16);
  CHECK(toy.kernel.is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(toy.bias.scalar_type() == at::kBFloat16);
  CHECK(toy.table.scalar_type() == at::kFloat);
  CHECK(toy.scale.scalar_type() == at::kFloat);
  CHECK(at::equal(toy.kernel, start.kernel.to(at::kBFloat16)));
  CHECK(at::equal(network.named(network.parameters().values()).at("kernel"), start.kernel));

  network.zero_gradients();
  (toy.kernel.to(at::kFloat).sum() * toy.scale + toy.table.sum() + 2 * toy.bias.to(at::kFloat).sum()).backward();
  network.collect_gradients();
  const TensorMap gradients = network.named(network.parameters().gradients());
  CHECK(gradients.at("table").eq(1.0).all().item<bool>());
  CHECK(gradients.at("bias").eq(2.0).all().item<bool>());
  CHECK(gradients.at("kernel")[0][0][0][0].item<float>() == Approx(0.7).epsilon(0.01));
  CHECK(gradients.at("scale").item<float>() == Approx(start.kernel.sum().item<float>()).epsilon(0.01));

  {
    const at::NoGradGuard no_grad;
    network.parameters().values().add_(1.0);
  }
  network.values_changed();
  CHECK(at::equal(toy.kernel, (start.kernel + 1.0).to(at::kBFloat16)));
  CHECK(at::equal(toy.table, start.table + 1.0));
}

TEST_CASE("matrices decay, vectors and scalars do not", "[pretraining][network]") {
  Toy toy;
  const LearnedNetwork network(toy.slots(), {}, {}, 0.01);
  for (const auto& group : network.parameters().groups()) {
    CHECK(group.weight_decay == (group.name == "matrices" ? 0.01 : 0.0));
  }
  CHECK(network.parameters().groups().size() == 3);
}

TEST_CASE("an epoch shows everything once, in an order of its own", "[pretraining][draws]") {
  const EpochOrder order(3, 0, 10);
  const Tensor first = order.take(0, 10), second = order.take(10, 10);
  CHECK(at::equal(std::get<0>(first.sort()), at::arange(10)));
  CHECK(at::equal(std::get<0>(second.sort()), at::arange(10)));
  CHECK_FALSE(at::equal(first, second));
  CHECK(at::equal(order.take(7, 6), at::cat({first, second}).narrow(0, 7, 6)));
  CHECK(at::equal(EpochOrder(3, 0, 10).take(35, 5), order.take(35, 5)));
}

namespace {

/// Draws that say which step they belong to.
class Counting final : public Objective {
 public:
  std::map<std::string, Tensor*> parameters() override { return {}; }
  TensorMap draw(const StepDraws& draws) const override {
    return {{"step", at::full({2}, draws.step(), at::kLong)}, {"noise", draws.normal("noise", {3, 5})}};
  }
  Tensor loss(const TensorMap&) override { return {}; }
  std::vector<std::filesystem::path> publish(const TensorMap&) override { return {}; }
};

}  // namespace

TEST_CASE("draws come in order, and do not depend on where a training went on", "[pretraining][draws]") {
  const Counting objective;
  StepFeed whole(objective, 5, 2, c10::kCPU, 0, 120);
  std::vector<Tensor> noise;
  for (std::int64_t step = 0; step < 120; ++step) {
    const TensorMap drawn = whole.next();
    REQUIRE(drawn.at("step")[1].item<std::int64_t>() == step);
    noise.push_back(drawn.at("noise").clone());
  }
  CHECK_FALSE(at::equal(noise[0], noise[1]));
  StepFeed resumed(objective, 5, 2, c10::kCPU, 77, 120);
  for (std::size_t step = 77; step < 120; ++step) REQUIRE(at::equal(resumed.next().at("noise"), noise[step]));
}
