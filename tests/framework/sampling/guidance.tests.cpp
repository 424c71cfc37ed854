#include "framework/sampling/guidance.h"
#include "framework/tensor/cuda_libraries.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/record_function.h>

#include "framework/models/linear.h"
#include "framework/sampling/weighted_sum.h"
#include "framework/tensor/random.h"
#include "tests/framework/sampling/small_base.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = make_generator(seed);
  return randn(shape, generator);
}

/// The prediction of one branch alone, by its own UNet call.
Tensor alone(Session& session, const Tensor& sample, double timestep, const TextCondition& text, double adapter_scale) {
  UNetInput input{.sample = sample,
                  .timesteps = at::full({sample.size(0)}, timestep),
                  .context = text.context.expand({sample.size(0), -1, -1}),
                  .text_embeds = {},
                  .time_ids = {}};
  UNetCall call;
  call.adapters.row_scale = at::full({sample.size(0)}, adapter_scale);
  return session.unet().forward(input, call);
}

void attach_something(Session& session) {
  std::uint64_t seed = 50;
  for (const auto& name : session.layers("unet.*attn2.to_k")) {
    const auto& weight = session.unet().registry().linears.at(name.substr(5))->weight;
    session.attach(name,
                   {.a = random({2, weight.size(1)}, ++seed), .b = random({weight.size(0), 2}, ++seed), .scale = 1.0});
  }
}

std::int64_t convolutions = 0;

std::unique_ptr<at::ObserverContext> count_convolutions(const at::RecordFunction& function) {
  const std::string_view name(function.name());
  if (name == "aten::conv2d" || name == "mkldnn::_convolution_pointwise") ++convolutions;
  return nullptr;
}

}  // namespace

TEST_CASE("classifier-free guidance is u + g (c - u), and g = 1 leaves the unconditional branch out",
          "[sampling][guidance]") {
  const at::NoGradGuard no_grad;
  Session session(small_base("sd15"));
  const TextCondition empty = session.encode({""}), text = session.encode({"a photo"});
  const Tensor sample = random({2, 4, 8, 8}, 1);
  GuidedModel guided(session.unet(), classifier_free_guidance(empty, text, 7.5));
  const Tensor u = alone(session, sample, 500, empty, 1), c = alone(session, sample, 500, text, 1);
  CHECK(at::allclose(guided.predict(sample, 500), u + 7.5 * (c - u), 1e-4, 1e-4));
  CHECK(classifier_free_guidance(empty, text, 1.0).size() == 1);
  GuidedModel unguided(session.unet(), classifier_free_guidance(empty, text, 1.0));
  CHECK(at::allclose(unguided.predict(sample, 500), c, 1e-4, 1e-5));
}

TEST_CASE("reward guidance equals three separate calls, in one call of three branches", "[sampling][guidance]") {
  const at::NoGradGuard no_grad;
  Session session(small_base("sd15"));
  attach_something(session);
  const TextCondition empty = session.encode({""}), base = session.encode({"a photo"}),
                      text = session.encode({"the photo"});
  const Tensor sample = random({2, 4, 8, 8}, 1);
  const std::vector<Branch> branches{{.name = "uncond", .text = empty, .weight = 1.0 - 7.5, .adapter_scale = 0.0},
                                     {.name = "base", .text = base, .weight = 7.5 - 3.0, .adapter_scale = 0.0},
                                     {.name = "cond", .text = text, .weight = 3.0}};
  GuidedModel guided(session.unet(), branches);
  const Tensor u = alone(session, sample, 500, empty, 0), b = alone(session, sample, 500, base, 0);
  const Tensor c = alone(session, sample, 500, text, 1);
  const Tensor expected = u + 7.5 * (b - u) + 3.0 * (c - b);
  const Tensor found = guided.predict(sample, 500);
  CHECK(((found - expected).abs().max() / expected.pow(2).mean().sqrt()).item<double>() < 1e-5);
  CHECK_FALSE(at::allclose(c, alone(session, sample, 500, text, 0), 1e-3, 1e-3));  // the adapters do act

  const auto count = [](const std::function<void()>& call) {
    convolutions = 0;
    const auto handle =
        at::addThreadLocalCallback(at::RecordFunctionCallback(count_convolutions).scopes({at::RecordScope::FUNCTION}));
    call();
    at::removeCallback(handle);
    return convolutions;
  };
  const auto one = count([&] { (void)alone(session, sample, 500, text, 1); });
  CHECK(one > 0);
  CHECK(count([&] { (void)guided.predict(sample, 500); }) == one);
}

TEST_CASE("a weighted sum of stacked parts", "[sampling][guidance]") {
  const Tensor a = random({2, 3}, 1), b = random({2, 3}, 2), c = random({2, 3}, 3);
  CHECK(at::allclose(weighted_sum(at::cat({a, b, c}), {2.0, -1.0, 0.5}), 2.0 * a - b + 0.5 * c));
}

TEST_CASE("the GPU's weighted sum equals the CPU's", "[sampling][guidance][.gpu]") {
  REQUIRE(open_cuda_libraries().torch_cuda);  // before anything asks ATen for its CUDA hooks
  const Tensor parts = random({6, 1000}, 1);
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
    const Tensor expected = weighted_sum(parts.to(type), {2.0, -1.0, 0.5});
    const Tensor found = weighted_sum(parts.to(type).to(at::kCUDA), {2.0, -1.0, 0.5}).to(at::kCPU);
    CHECK(at::allclose(found.to(at::kFloat), expected.to(at::kFloat), 2e-2, 2e-2));
  }
}
