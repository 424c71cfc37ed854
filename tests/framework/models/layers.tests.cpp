#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "framework/models/activation_checkpoint.h"
#include "framework/models/attention.h"
#include "framework/models/conv2d.h"
#include "framework/models/flash_attention.h"
#include "framework/models/linear.h"
#include "framework/models/norms.h"
#include "framework/tensor/random.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = make_generator(seed);
  return randn(shape, generator);
}

double max_error_over_rms(const Tensor& found, const Tensor& expected) {
  const Tensor wide = expected.to(at::kDouble);
  return ((found.to(at::kDouble) - wide).abs().max() / wide.pow(2).mean().sqrt()).item<double>();
}

/// A single layer with the given parameters.
template <typename Layer, typename... Arguments>
std::unique_ptr<Layer> make(Registry& registry, TensorMap tensors, Arguments... arguments) {
  Weights weights("test", std::move(tensors), {});
  auto layer = std::make_unique<Layer>(Scope(weights, registry), arguments...);
  weights.check();
  return layer;
}

}  // namespace

TEST_CASE("an adapter on a linear layer equals the merged weight W + scale B A", "[models][adapters]") {
  Registry registry;
  const Tensor w = random({6, 5}, 1), b = random({6}, 2), x = random({2, 3, 5}, 3);
  const auto layer = make<Linear>(registry, {{"weight", w}, {"bias", b}}, 5, 6, true);
  const LowRank adapter{.a = random({2, 5}, 4), .b = random({6, 2}, 5), .scale = 0.5};
  layer->adapters.push_back(adapter);
  const Tensor merged = at::linear(x, w + 0.5 * at::matmul(adapter.b, adapter.a), b);
  CHECK(max_error_over_rms(layer->forward(x), merged) < 1e-6);
  CHECK(max_error_over_rms(layer->delta(x), merged - at::linear(x, w, b)) < 1e-5);

  const AdapterCall only_second{.row_scale = at::tensor({0.0f, 1.0f})};
  const Tensor y = layer->forward(x, &only_second);
  CHECK(max_error_over_rms(y[0], at::linear(x[0], w, b)) < 1e-6);
  CHECK(max_error_over_rms(y[1], merged[1]) < 1e-6);
}

TEST_CASE("an adapter on a convolution equals the merged kernel", "[models][adapters]") {
  Registry registry;
  const Tensor w = random({4, 3, 3, 3}, 1), b = random({4}, 2), x = random({2, 3, 8, 8}, 3);
  const auto layer = make<Conv2d>(registry, {{"weight", w}, {"bias", b}}, 3, 4, Conv2d::Geometry{.stride = 2}, true);
  const LowRank adapter{.a = random({2, 3, 3, 3}, 4), .b = random({4, 2, 1, 1}, 5), .scale = 2.0};
  layer->adapters.push_back(adapter);
  const Tensor merged = w + 2.0 * at::matmul(adapter.b.flatten(1), adapter.a.flatten(1)).view_as(w);
  CHECK(max_error_over_rms(layer->forward(x), at::conv2d(x, merged, b, 2, 1)) < 1e-5);
}

TEST_CASE("packed convolution weights give what plain ones give, also for a second size and a replaced weight",
          "[models][conv2d]") {
  const at::NoGradGuard no_grad;
  Registry registry;
  const Tensor w = random({32, 16, 3, 3}, 1), b = random({32}, 2);
  const auto layer = make<Conv2d>(registry, {{"weight", w}, {"bias", b}}, 16, 32, Conv2d::Geometry{}, true);
  for (const std::int64_t size : {12, 7, 12}) {
    const Tensor x = random({2, 16, size, size}, 3).contiguous(at::MemoryFormat::ChannelsLast);
    CHECK(max_error_over_rms(layer->forward(x), at::conv2d(x, w, b, 1, 1)) < 1e-5);
  }
  layer->weight = random({32, 16, 3, 3}, 9);
  const Tensor x = random({1, 16, 12, 12}, 3);
  CHECK(max_error_over_rms(layer->forward(x), at::conv2d(x, layer->weight, b, 1, 1)) < 1e-5);
}

TEST_CASE("gradients reach a convolution's weight although inference packs it", "[models][conv2d]") {
  Registry registry;
  const auto layer = make<Conv2d>(registry, {{"weight", random({4, 3, 3, 3}, 1)}}, 3, 4, Conv2d::Geometry{}, false);
  const Tensor x = random({1, 3, 6, 6}, 2);
  (void)layer->forward(x);  // packs
  layer->weight = layer->weight.clone().requires_grad_();
  layer->forward(x).sum().backward();
  CHECK(layer->weight.grad().abs().sum().item<double>() > 0);
}

TEST_CASE("the bfloat16 attention kernel agrees with float32 attention", "[models][attention]") {
  const at::NoGradGuard no_grad;
  struct Shape {
    std::int64_t batch, queries, keys, heads, width;
  };
  // One query, tails in queries and keys, every register count of the output (16 to 160 columns), several key blocks.
  for (const Shape s :
       {Shape{1, 1, 1, 1, 8}, Shape{2, 50, 77, 8, 40}, Shape{1, 97, 300, 2, 64}, Shape{1, 48, 256, 3, 80},
        Shape{1, 100, 513, 2, 160}, Shape{2, 7, 31, 2, 16}, Shape{1, 60, 600, 1, 96}}) {
    const auto make_tensor = [&](std::int64_t rows, std::uint64_t seed) {
      return (2.0 * random({s.batch, rows, s.heads * s.width}, seed)).to(at::kBFloat16);
    };
    const Tensor q = make_tensor(s.queries, 1), k = make_tensor(s.keys, 2), v = make_tensor(s.keys, 3);
    if (!flash::supports(q, k, v, s.heads)) return;  // a CPU without the instructions
    const auto split = [&](const Tensor& x) {
      return x.to(at::kDouble).view({s.batch, -1, s.heads, s.width}).transpose(1, 2);
    };
    const Tensor expected =
        at::scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).reshape(q.sizes());
    CAPTURE(s.queries, s.keys, s.width);
    CHECK(max_error_over_rms(flash::attention(q, k, v, s.heads), expected) < 0.03);  // weights and output: 8 bits
  }
}

TEST_CASE("observed attention gives the same output and probabilities that sum to one", "[models][attention]") {
  const Tensor q = random({2, 9, 12}, 1), k = random({2, 5, 12}, 2), v = random({2, 5, 12}, 3);
  Tensor seen;
  const AttentionObserver observer = [&](std::string_view layer, const Tensor& probabilities) {
    CHECK(layer == "here");
    seen = probabilities;
  };
  const Tensor plain = attention(q, k, v, {.heads = 3, .bias = {}, .causal = false, .observer = nullptr, .layer = {}});
  const Tensor observed =
      attention(q, k, v, {.heads = 3, .bias = {}, .causal = false, .observer = &observer, .layer = "here"});
  CHECK(max_error_over_rms(observed, plain) < 1e-5);
  REQUIRE(seen.sizes() == at::IntArrayRef({2, 3, 9, 5}));
  CHECK(at::allclose(seen.sum(-1), at::ones({2, 3, 9})));
}

TEST_CASE("recomputed activations give the same gradients, also for parameters inside", "[models][checkpoint]") {
  const Tensor w = random({4, 4}, 1).requires_grad_();
  const Tensor x = random({3, 4}, 2).requires_grad_();
  int calls = 0;
  const Tensor c = random({3, 4}, 3).requires_grad_();
  const auto f = [&](const Tensor& in, const Tensor& condition) {
    ++calls;
    return at::sin(at::matmul(in, w)) * condition;
  };
  // The condition comes out of a graph of its own, as a text encoder's states do.
  f(x, at::sin(c)).sum().backward();
  const Tensor gx = x.grad().clone(), gw = w.grad().clone(), gc = c.grad().clone();
  x.mutable_grad().zero_();
  c.mutable_grad().zero_();
  w.mutable_grad().zero_();
  calls = 0;
  const Tensor condition = at::sin(c);
  // Twice on one graph: the inner backward passes may not free what comes before the inputs.
  (activation_checkpoint(f, x, condition).sum() + 0.0 * activation_checkpoint(f, x, condition).sum()).backward();
  CHECK(calls == 4);
  CHECK(at::allclose(c.grad(), gc));
  CHECK(at::allclose(x.grad(), gx));
  CHECK(at::allclose(w.grad(), gw));

  // An input that needs no gradient: parameters still learn.
  w.mutable_grad().zero_();
  activation_checkpoint(f, x.detach(), condition.detach()).sum().backward();
  CHECK(at::allclose(w.grad(), gw));

  // Where nothing learns, nothing is computed again, and what follows knows it.
  calls = 0;
  const at::Tensor fixed = w.detach();
  const Tensor y = activation_checkpoint(
      [&](const Tensor& in, const Tensor& by) {
        ++calls;
        return at::sin(at::matmul(in, fixed)) * by;
      },
      x.detach(), condition.detach());
  CHECK_FALSE(y.requires_grad());
  (y * w.sum()).sum().backward();
  CHECK(calls == 1);
}

TEST_CASE("GroupNorm of channels-last pictures equals ATen's in float64, with its gradients", "[models][norms]") {
  // channels that fill no block and groups that cross one; a mean far from zero, where sums of squares would cancel
  const auto [channels, groups, height, width] =
      GENERATE(std::tuple{96, 32, 5, 7}, std::tuple{36, 4, 9, 9}, std::tuple{192, 32, 8, 8}, std::tuple{130, 2, 1, 3});
  CAPTURE(channels, groups, height, width);
  Registry registry;
  const Tensor weight = random({channels}, 1), bias = random({channels}, 2);
  const auto layer = make<GroupNorm>(registry, {{"weight", weight}, {"bias", bias}}, groups, channels, 1e-5);
  layer->weight.requires_grad_();
  layer->bias.requires_grad_();
  const Tensor values = random({3, channels, height, width}, 3) + 30.0;
  Tensor x = values.contiguous(at::MemoryFormat::ChannelsLast).requires_grad_();
  const Tensor factors = random(values.sizes(), 4);
  const Tensor y = layer->forward(x);
  (y * factors).sum().backward();

  Tensor wide_x = values.to(at::kDouble).requires_grad_(),
         wide_weight = weight.detach().to(at::kDouble).requires_grad_(),
         wide_bias = bias.detach().to(at::kDouble).requires_grad_();
  const Tensor expected = at::group_norm(wide_x, groups, wide_weight, wide_bias, 1e-5);
  (expected * factors.to(at::kDouble)).sum().backward();
  CHECK(y.is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(max_error_over_rms(y.detach(), expected.detach()) < 1e-5);  // x itself has only 7 digits, 30 of them one
  CHECK(max_error_over_rms(x.grad(), wide_x.grad()) < 1e-5);
  CHECK(max_error_over_rms(layer->weight.grad(), wide_weight.grad()) < 1e-5);
  CHECK(max_error_over_rms(layer->bias.grad(), wide_bias.grad()) < 1e-5);

  const at::NoGradGuard no_grad;
  CHECK(layer->forward(x.slice(0, 1, 2)).equal(y.slice(0, 1, 2)));  // a picture's result is its own
  Tensor elsewhere = at::zeros({x.numel() + 3}).slice(0, 3).as_strided(x.sizes(), x.strides());  // off every alignment
  elsewhere.copy_(x);
  CHECK(layer->forward(elsewhere).equal(y));
  const Tensor half = layer->forward(x.detach().to(at::kBFloat16));
  const Tensor rounded =
      at::group_norm(x.detach().to(at::kBFloat16).to(at::kDouble), groups, wide_weight, wide_bias, 1e-5);
  CHECK(half.scalar_type() == at::kBFloat16);
  CHECK(max_error_over_rms(half, rounded) < 2e-2);
}
