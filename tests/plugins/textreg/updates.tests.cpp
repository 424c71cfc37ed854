#include "plugins/textreg/updates.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include "framework/models/clip_text.h"
#include "tests/plugins/textreg/world.h"

using namespace atelier;
using namespace atelier::textreg;

namespace {

Updates attach(Session& session, LoRASettings settings, const Start& start = {}) {
  RandomDraws draws({.seed = 0, .stage = 1, .step = -1, .slot = -1});
  return attach_updates(session, start, draws, settings);
}

LoRASettings cross(std::int64_t rank = 4) { return {.rank = rank, .layers = "cross", .text = false}; }

void set_ups(const Updates& updates, double factor) {
  const at::NoGradGuard no_grad;
  std::uint64_t seed = 0;
  for (const auto& parameter : updates.unet) {
    ++seed;
    if (parameter.name.ends_with("lora_B.weight")) {
      parameter.tensor.copy_(random_tensor(parameter.tensor.sizes(), seed) * factor);
    }
  }
}

Tensor prediction(Session& session) {
  const at::NoGradGuard no_grad;
  return session.unet().forward({.sample = random_tensor({1, 4, 8, 8}, 1),
                                 .timesteps = at::full({1}, 300, at::kLong),
                                 .context = random_tensor({1, 77, 32}, 2),
                                 .text_embeds = {},
                                 .time_ids = {}});
}

}  // namespace

TEST_CASE("g of the worked example is 6.067510, with its gradients", "[textreg][regulariser]") {
  const Tensor down = at::tensor({1.0, 2.0, -1.0}, at::kDouble).view({1, 3}).requires_grad_();
  const Tensor up = at::tensor({0.5, -2.0}, at::kDouble).view({2, 1}).requires_grad_();
  const Tensor states =
      at::tensor({1.0, 0.0, 2.0, 0.0, 1.0, 1.0, 2.0, 1.0, 0.0, 1.0, 1.0, 1.0}, at::kDouble).view({2, 2, 3});
  const Tensor norms = row_norms(at::linear(at::linear(states, down), up));
  CHECK(norms[0].item<double>() == Approx(2.915476).epsilon(1e-6));
  CHECK(norms[1].item<double>() == Approx(9.219544).epsilon(1e-6));
  const Tensor g = norms.mean();
  CHECK(g.item<double>() == Approx(6.067510).epsilon(1e-6));
  g.backward();
  const auto near = [](const Tensor& found, std::initializer_list<double> expected) {
    CHECK((found.flatten() - at::tensor(std::vector<double>(expected), at::kDouble)).abs().max().item<double>() < 1e-5);
  };
  near(up.grad(), {0.713825, -2.855299});
  near(down.grad(), {1.576017, 2.111801, -0.267892});
}

TEST_CASE("With zero ups both terms are 0 and every gradient is exactly 0", "[textreg][regulariser]") {
  Session session(tiny_base());
  const Updates updates = attach(session, cross());
  const Tensor norm = mean_update_norm(session, unet_layers(session, "cross"), random_tensor({2, 77, 32}, 5));
  CHECK(norm.sum().item<float>() == 0.0F);
  norm.sum().backward();
  for (const auto& parameter : updates.unet) {
    CHECK(at::equal(parameter.tensor.grad(), at::zeros_like(parameter.tensor)));
  }
}

TEST_CASE(
    "Each term is a mean over its layers: scaling ups by s scales it by s, values have no gradient of the edit term",
    "[textreg][regulariser]") {
  Session session(tiny_base());
  const Updates updates = attach(session, cross());
  const auto layers = unet_layers(session, "cross");
  const auto keys = key_layers(layers);
  CHECK(layers.size() == 32);
  CHECK(keys.size() == 16);
  const Tensor states = random_tensor({2, 77, 32}, 5);
  set_ups(updates, 1.0);
  const Tensor edit = mean_update_norm(session, keys, states);
  edit.sum().backward();
  for (const auto& parameter : updates.unet) {
    const bool key = parameter.name.find(".to_k.") != std::string::npos;
    const Tensor gradient = parameter.tensor.grad();
    CHECK((gradient.defined() && gradient.abs().sum().item<float>() > 0) == key);
  }
  // The mean over layers of each layer's own norm: 32 equal ones would give that one.
  Tensor sum = at::zeros({2});
  for (const auto& layer : keys) sum = sum + row_norms(session.adapter_output(layer, states));
  CHECK(at::allclose(edit, sum / 16));
  set_ups(updates, 3.0);
  CHECK(at::allclose(mean_update_norm(session, keys, states), edit * 3));
}

TEST_CASE("Fresh updates leave UNet and text encoder bit-identical", "[textreg][lora]") {
  const at::NoGradGuard no_grad;
  Session base(tiny_base()), changed(tiny_base());
  attach(changed, {.rank = 4, .layers = "full", .text = true});
  CHECK(at::equal(prediction(base), prediction(changed)));
  CHECK(at::equal(base.encode({"a man"}).context, changed.encode({"a man"}).context));
}

TEST_CASE("The filters choose 32, 32, 64 and 160 layers, and four for each layer of the text encoder",
          "[textreg][lora]") {
  Session session(tiny_base());
  CHECK(unet_layers(session, "cross").size() == 32);
  CHECK(unet_layers(session, "self").size() == 32);
  CHECK(unet_layers(session, "cross+self").size() == 64);
  CHECK(unet_layers(session, "full").size() == 160);
  CHECK(text_layers(session).size() == static_cast<std::size_t>(4 * session.text(0).config().layers));
  const Updates updates = attach(session, {.rank = 4, .layers = "cross", .text = true});
  CHECK(updates.unet.size() == 64);
  CHECK(updates.all().size() == 64 + 2 * text_layers(session).size());
}

TEST_CASE("Downs are normal with deviation one over the rank", "[textreg][lora]") {
  std::vector<Tensor> values;
  for (int seed = 0; seed < 8; ++seed) {  // 32 layers of width 32, eight seeds
    Session session(tiny_base());
    RandomDraws draws({.seed = static_cast<std::uint64_t>(seed), .stage = 1, .step = -1, .slot = -1});
    for (const auto& parameter : attach_updates(session, Start(), draws, cross(8)).unet) {
      if (parameter.name.ends_with("lora_A.weight")) values.push_back(parameter.tensor.detach().flatten());
    }
  }
  const Tensor all = at::cat(values);
  CHECK(all.std().item<double>() == Approx(0.125).epsilon(0.01));
  CHECK(std::abs(all.mean().item<double>()) < 0.002);
}
