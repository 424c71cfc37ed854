#include "framework/pretraining/initialise.h"

#include <ATen/ops/equal.h>

#include <cmath>

#include "framework/core/error.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

double deviation(const Tensor& tensor) { return tensor.std().item<double>(); }
double largest(const Tensor& tensor) { return tensor.abs().max().item<double>(); }
bool is_zero(const Tensor& tensor) { return largest(tensor) == 0.0; }

Initialiser initialiser(InitScheme scheme, std::uint64_t seed = 0, std::int64_t component = 2,
                        std::int64_t layers = 1) {
  return {scheme, seed, component, c10::kCPU, layers};
}

}  // namespace

TEST_CASE("PyTorch's start is uniform within 1/√fan_in, for weights and biases", "[pretraining][initialise]") {
  auto init = initialiser(InitScheme::torch);
  const Tensor kernel = init.make("down.conv1.weight", {64, 32, 3, 3});
  const double bound = 1.0 / std::sqrt(32.0 * 9.0);
  CHECK(largest(kernel) <= bound);
  CHECK(largest(kernel) > 0.99 * bound);
  CHECK(deviation(kernel) == Approx(bound / std::sqrt(3.0)).epsilon(0.02));
  CHECK(kernel.mean().item<double>() == Approx(0.0).margin(0.02 * bound));
  const Tensor bias = init.make("down.conv1.bias", {64});
  CHECK(largest(bias) <= bound);
  CHECK(deviation(bias) == Approx(bound / std::sqrt(3.0)).epsilon(0.3));
  CHECK(is_zero(init.make("mid.group_norm.bias", {8})));
  CHECK(at::equal(init.make("norm1.weight", {8}), at::ones({8})));
  CHECK_THROWS_AS(init.make("stray.bias", {8}), Error);
}

TEST_CASE("a UNet starts with silent residual branches", "[pretraining][initialise]") {
  auto init = initialiser(InitScheme::unet);
  CHECK(is_zero(init.make("down_blocks.0.resnets.0.conv2.weight", {8, 8, 3, 3})));
  CHECK(is_zero(init.make("down_blocks.0.resnets.0.conv2.bias", {8})));
  CHECK(is_zero(init.make("mid_block.attentions.0.proj_out.weight", {8, 8, 1, 1})));
  CHECK(is_zero(init.make("conv_out.weight", {4, 8, 3, 3})));
  CHECK_FALSE(is_zero(init.make("down_blocks.0.resnets.0.conv1.weight", {8, 8, 3, 3})));
  CHECK_FALSE(is_zero(init.make("conv_in.weight", {8, 4, 3, 3})));
}

TEST_CASE("CLIP's start is normal, scaled by width and depth", "[pretraining][initialise]") {
  auto init = initialiser(InitScheme::clip, 0, 1, 8);
  CHECK(deviation(init.make("text_model.embeddings.token_embedding.weight", {500, 64})) == Approx(0.02).epsilon(0.02));
  CHECK(deviation(init.make("text_model.embeddings.position_embedding.weight", {77, 64})) ==
        Approx(0.01).epsilon(0.05));
  const std::string layer = "text_model.encoder.layers.3.";
  CHECK(deviation(init.make(layer + "self_attn.q_proj.weight", {64, 64})) == Approx(0.125).epsilon(0.05));
  CHECK(deviation(init.make(layer + "self_attn.out_proj.weight", {64, 64})) == Approx(0.125 / 4).epsilon(0.05));
  CHECK(deviation(init.make(layer + "mlp.fc1.weight", {256, 64})) == Approx(0.125 / std::sqrt(2.0)).epsilon(0.05));
  CHECK(deviation(init.make(layer + "mlp.fc2.weight", {64, 256})) == Approx(0.125 / 4).epsilon(0.05));
  CHECK(is_zero(init.make(layer + "mlp.fc1.bias", {256})));
  CHECK(deviation(init.make("visual_projection.weight", {128, 64})) == Approx(0.125).epsilon(0.05));
}

TEST_CASE("an initial tensor depends on seed, component and name alone", "[pretraining][initialise]") {
  auto one = initialiser(InitScheme::torch), same = initialiser(InitScheme::torch);
  auto other_seed = initialiser(InitScheme::torch, 1), other_part = initialiser(InitScheme::torch, 0, 3);
  static_cast<void>(same.make("before.weight", {3, 3}));
  const Tensor tensor = one.make("a.weight", {5, 7});
  CHECK(at::equal(tensor, same.make("a.weight", {5, 7})));
  CHECK_FALSE(at::equal(tensor, one.make("b.weight", {5, 7})));
  CHECK_FALSE(at::equal(tensor, other_seed.make("a.weight", {5, 7})));
  CHECK_FALSE(at::equal(tensor, other_part.make("a.weight", {5, 7})));
}
