#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include <chrono>
#include <cmath>

#include "framework/tensor/random.h"
#include "framework/training/adamw.h"
#include "framework/training/gradient_norm.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

using Role = ParamGroup::Role;

Tensor random(at::IntArrayRef shape, std::uint64_t seed, at::ScalarType type = at::kFloat) {
  auto generator = make_generator(seed);
  return randn(shape, generator).to(type);
}

Parameter parameter(const std::string& name, at::IntArrayRef shape, std::uint64_t seed,
                    at::ScalarType type = at::kFloat) {
  return {name, random(shape, seed, type).requires_grad_()};
}

/// Whether two results of one update differ by no more than the rounding of its largest operand: the value, or a step
/// of the learning rate.
bool same_update(const Tensor& a, const Tensor& b, double rate) {
  return ((a - b).detach().abs() <= 1.2e-7 * b.detach().abs().clamp_min(rate)).all().item<bool>();
}

void set_gradient(const Parameter& p, const Tensor& gradient) {
  const at::NoGradGuard no_grad;
  p.tensor.grad().copy_(gradient);
}

torch::optim::AdamWOptions torch_options(double rate, double decay) {
  return torch::optim::AdamWOptions(rate).weight_decay(decay).betas({0.9, 0.999}).eps(1e-8);
}

}  // namespace

TEST_CASE("AdamW is torch's, the first update to the last bit, with a rate and a decay for each group",
          "[training][optimizer]") {
  const Parameter a = parameter("a", {37, 5}, 1), b = parameter("b", {129}, 2);
  const Tensor ta = a.tensor.detach().clone().requires_grad_(), tb = b.tensor.detach().clone().requires_grad_();
  torch::optim::AdamW reference(
      {torch::optim::OptimizerParamGroup({ta}, std::make_unique<torch::optim::AdamWOptions>(torch_options(1e-2, 1e-1))),
       torch::optim::OptimizerParamGroup({tb}, std::make_unique<torch::optim::AdamWOptions>(torch_options(3e-3, 0.0)))},
      torch_options(1e-3, 1e-2));
  const FlatParameters flat(
      {{.name = "a", .parameters = {a}, .weight_decay = 1e-1}, {.name = "b", .parameters = {b}, .weight_decay = 0.0}});
  AdamW adamw(flat, {});
  const Tensor go = at::zeros({});
  for (std::uint64_t step = 0; step < 30; ++step) {
    const Tensor ga = random({37, 5}, 100 + step), gb = random({129}, 200 + step) * 1e-3;
    ta.mutable_grad() = ga.clone();
    tb.mutable_grad() = gb.clone();
    set_gradient(a, ga);
    set_gradient(b, gb);
    adamw.step({1e-2, 3e-3}, go);
    reference.step();
    if (step == 0) {
      CHECK(same_update(a.tensor, ta, 1e-2));
      CHECK(same_update(b.tensor, tb, 3e-3));
    }
  }
  CHECK(at::allclose(a.tensor, ta, 1e-6, 1e-7));
  CHECK(at::allclose(b.tensor, tb, 1e-6, 1e-7));
  CHECK(adamw.steps() == 30);
}

TEST_CASE("AdamW in float64 follows torch's", "[training][optimizer]") {
  const Parameter a = parameter("a", {50}, 1, at::kDouble);
  const Tensor ta = a.tensor.detach().clone().requires_grad_();
  torch::optim::AdamW reference({ta}, torch_options(1e-2, 1e-2));
  const FlatParameters flat({{.name = "a", .parameters = {a}}});
  AdamW adamw(flat, {});
  for (std::uint64_t step = 0; step < 20; ++step) {
    const Tensor gradient = random({50}, step, at::kDouble);
    ta.mutable_grad() = gradient.clone();
    set_gradient(a, gradient);
    adamw.step({1e-2}, at::zeros({}));
    reference.step();
  }
  CHECK(at::allclose(a.tensor, ta, 1e-13, 1e-14));
}

// textreg.md 14.6
TEST_CASE("the first step of TextReg's token", "[training][optimizer]") {
  const Parameter row{"row", at::ones({2}).requires_grad_()};
  {
    const at::NoGradGuard no_grad;
    row.tensor[0] = 0.3;
    row.tensor[1] = 0.4;
  }
  const FlatParameters flat({{.name = "row", .parameters = {row}}});
  AdamW adamw(flat, {});
  const at::NoGradGuard no_grad;
  row.tensor.grad()[0] = 0.02 / 4;
  row.tensor.grad()[1] = -0.01 / 4;
  adamw.step({5e-4}, at::zeros({}));
  CHECK(row.tensor[0].item<float>() == Approx(0.29949853).epsilon(1e-6));
  CHECK(row.tensor[1].item<float>() == Approx(0.40049800).epsilon(1e-6));
}

TEST_CASE("flat parameters keep the tensors' identity, layout and views", "[training][optimizer]") {
  const Parameter a = parameter("a", {3, 4}, 1);
  const Parameter c{"c", random({2, 3, 4, 4}, 2).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_()};
  const Tensor before = a.tensor.detach().clone(), channels_last = c.tensor.detach().clone();
  const Tensor row = a.tensor.detach()[1];  // a view that was made earlier
  {
    const FlatParameters flat({{.name = "g", .parameters = {a, c}}});
    CHECK(at::equal(a.tensor, before));
    CHECK(at::equal(c.tensor, channels_last));
    CHECK(c.tensor.is_contiguous(at::MemoryFormat::ChannelsLast));
    CHECK(flat.trained_numbers() == 12 + 96);
    (a.tensor * 2).sum().backward();
    (c.tensor * 3).sum().backward();
    (a.tensor * 2).sum().backward();
    CHECK(at::equal(FlatParameters::view(flat.gradients(), flat.slots()[0]), at::ones({3, 4}) * 4));
    CHECK(at::equal(FlatParameters::view(flat.gradients(), flat.slots()[1]), at::ones({2, 3, 4, 4}) * 3));
    const at::NoGradGuard no_grad;
    flat.values().add_(1.0);
    CHECK(at::equal(a.tensor, before + 1));
    CHECK(at::equal(row, before[1] + 1));
  }
  CHECK(at::equal(a.tensor, before + 1));  // the buffer is gone, the values are not
  CHECK_FALSE(a.tensor.grad().defined());
}

TEST_CASE("roles: norm-only and accumulated tensors are never stepped, accumulated gradients never cleared",
          "[training][optimizer]") {
  const Parameter old = parameter("old", {5}, 1), piled = parameter("piled", {5}, 2), own = parameter("own", {5}, 3);
  const Tensor old_before = old.tensor.detach().clone(), piled_before = piled.tensor.detach().clone();
  FlatParameters flat({{.name = "old", .parameters = {old}, .role = Role::norm_only},
                       {.name = "piled", .parameters = {piled}, .role = Role::accumulated},
                       {.name = "own", .parameters = {own}}});
  CHECK(flat.groups()[0].name == "own");
  CHECK(flat.source(0) == 2);
  flat.gradients().fill_(1.0);
  AdamW adamw(flat, {});
  adamw.step({1e-2, 1e-2, 1e-2}, at::zeros({}));
  CHECK(at::equal(old.tensor, old_before));
  CHECK(at::equal(piled.tensor, piled_before));
  flat.zero_gradients();
  CHECK(at::equal(old.tensor.grad(), at::zeros({5})));
  CHECK(at::equal(own.tensor.grad(), at::zeros({5})));
  CHECK(at::equal(piled.tensor.grad(), at::ones({5})));
}

TEST_CASE("clipping is torch's, over the groups that clip", "[training][optimizer]") {
  const double limit = GENERATE(0.5, 1000.0);
  const Parameter a = parameter("a", {40, 3}, 1), b = parameter("b", {7}, 2), old = parameter("old", {11}, 3),
                  free = parameter("free", {5}, 4);
  FlatParameters flat({{.name = "a", .parameters = {a}},
                       {.name = "b", .parameters = {b}},
                       {.name = "free", .parameters = {free}, .clip = false},
                       {.name = "old", .parameters = {old}, .role = Role::norm_only}});
  std::vector<Tensor> copies;
  for (const auto* p : {&a, &b, &old}) {
    set_gradient(*p, random(p->tensor.sizes(), 50));
    copies.push_back(p->tensor.detach().clone().requires_grad_());
    copies.back().mutable_grad() = p->tensor.grad().clone();
  }
  set_gradient(free, at::ones({5}));
  const double expected = torch::nn::utils::clip_grad_norm_(copies, limit);
  const Tensor norm = gradient_norm(flat, true);
  CHECK(norm.item<double>() == Approx(expected).epsilon(1e-6));
  clip_gradients_(flat, norm, limit);
  CHECK(at::allclose(a.tensor.grad(), copies[0].grad(), 1e-6, 0));
  CHECK(at::allclose(b.tensor.grad(), copies[1].grad(), 1e-6, 0));
  CHECK(at::equal(free.tensor.grad(), at::ones({5})));
  // Without clipping the norm is that of what is trained.
  const double trained = std::sqrt(flat.gradients().narrow(0, 0, flat.values().size(0)).pow(2).sum().item<double>());
  CHECK(gradient_norm(flat, false).item<double>() == Approx(trained).epsilon(1e-6));
}

TEST_CASE("parameters that do not fit together are refused by name", "[training][optimizer]") {
  const Parameter a = parameter("a", {4}, 1);
  const auto build = [](const Parameter& x, const Parameter& y) {
    FlatParameters flat({{.name = "g", .parameters = {x, y}}});
  };
  CHECK_THROWS_WITH(build(a, {"a", parameter("", {4}, 2).tensor}), Catch::Contains("parameter a: the name twice"));
  CHECK_THROWS_WITH(build(a, {"b", a.tensor}), Catch::Contains("parameter b: storage"));
  CHECK_THROWS_WITH(build(a, parameter("b", {4}, 2, at::kDouble)), Catch::Contains("parameter b"));
  CHECK_THROWS_WITH(build(a, {"b", at::ones({4})}), Catch::Contains("collects no gradient"));
  CHECK_THROWS_WITH(build(a, {"b", at::ones({8}).narrow(0, 0, 4).detach().requires_grad_()}),
                    Catch::Contains("view of a larger tensor"));
  CHECK_THROWS_WITH(FlatParameters({{.name = "g", .parameters = {a}, .role = Role::norm_only}}),
                    Catch::Contains("nothing that is trained"));
}

// Prints what an optimizer step costs beside forward and backward passes.
// Added one after the other in float32, 2²⁴ equal squares come to 1 % too little in the norm.
TEST_CASE("the norm of very many gradients is exact", "[training][optimizer]") {
  const std::int64_t count = (std::int64_t{1} << 22) + 7;
  const Parameter many = parameter("many", {count}, 1), few = parameter("few", {5}, 2);
  const FlatParameters flat({{.name = "many", .parameters = {many}}, {.name = "few", .parameters = {few}}});
  set_gradient(few, at::ones({5}) * 100);
  const at::NoGradGuard no_grad;
  many.tensor.grad().fill_(0.1F);
  const double square = static_cast<double>(0.1F) * static_cast<double>(0.1F);
  CHECK(gradient_norm(flat, true).item<double>() ==
        Approx(std::sqrt(square * static_cast<double>(count) + 5e4)).epsilon(5e-7));
  const Tensor normal = random({count}, 3);
  many.tensor.grad().copy_(normal);
  const double expected = std::sqrt(normal.to(at::kDouble).square().sum().item<double>() + 5e4);
  CHECK(gradient_norm(flat, true).item<double>() == Approx(expected).epsilon(5e-7));
}

TEST_CASE("cost of norm, clipping and update", "[.bench]") {
  for (const std::int64_t count : {500'000, 8'000'000}) {
    const Parameter p = parameter("p", {count}, 1);
    FlatParameters flat({{.name = "g", .parameters = {p}}});
    flat.gradients().fill_(0.01);
    AdamW adamw(flat, {});
    const auto begin = std::chrono::steady_clock::now();
    constexpr int kRounds = 20;
    for (int i = 0; i < kRounds; ++i) {
      clip_gradients_(flat, gradient_norm(flat, true), 1.0);
      adamw.step({1e-4}, at::zeros({}));
      flat.zero_gradients();
    }
    const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
    WARN(count << " numbers: " << spent.count() / kRounds << " ms a step");
  }
}
