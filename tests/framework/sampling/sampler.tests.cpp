#include "framework/sampling/sampler.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/sampling/picture.h"
#include "framework/tensor/random.h"
#include "tests/framework/sampling/small_base.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

Tensor sample(Session& session, const std::vector<std::uint64_t>& seeds, const std::string& scheduler_name,
              std::size_t* steps = nullptr) {
  const at::NoGradGuard no_grad;
  std::vector<at::Generator> generators;
  const Tensor latents = initial_latents({4, 8, 8}, seeds, generators);
  GuidedModel model(session.unet(), classifier_free_guidance(session.encode({""}), session.encode({"a photo"}), 5.0));
  const auto scheduler = make_scheduler(scheduler_name, session.base().checkpoint().scheduler_config());
  scheduler->set_timesteps(6);
  return sample_latents(model, *scheduler, latents, generators, [&](const SamplingStep& step) {
    if (steps != nullptr) ++*steps;
    CHECK(step.call < step.calls);
  });
}

}  // namespace

TEST_CASE("a picture does not depend on what is sampled beside it, ancestral noise included", "[sampling][sampler]") {
  Session session(small_base("sd15"));
  const Tensor together = sample(session, {7, 8, 9}, "euler_ancestral");
  const Tensor alone = sample(session, {8}, "euler_ancestral");
  CHECK(at::allclose(together.narrow(0, 1, 1), alone, 1e-4, 1e-4));
  CHECK_FALSE(at::allclose(together[0], together[1], 1e-2, 1e-2));
}

TEST_CASE("sampling twice with one seed gives the same bits", "[sampling][sampler]") {
  Session session(small_base("sd15"));
  std::size_t steps = 0;
  const Tensor first = sample(session, {3}, "ddim", &steps);
  CHECK(steps == 6);
  CHECK(at::equal(first, sample(session, {3}, "ddim")));
}

TEST_CASE("initial latents of seed N are torch.manual_seed(N); torch.randn(1, 4, h, w)", "[sampling][sampler]") {
  std::vector<at::Generator> generators;
  const Tensor latents = initial_latents({4, 8, 8}, {0, 1}, generators);
  CHECK(latents.sizes() == at::IntArrayRef({2, 4, 8, 8}));
  CHECK(latents[0][0][0][0].item<float>() == Approx(-1.1258398f).epsilon(1e-6));  // formats.md 17
  CHECK(generators.size() == 2);
}

TEST_CASE("pixels become 8-bit levels by clamping and rounding half to even", "[sampling][picture]") {
  // x/2 + 0.5 times 255: -2 -> 0, 2 -> 255, 0 -> 127.5 -> 128, -1 + 2·2.5/255 -> 2.5 -> 2.
  const Tensor pixels =
      at::tensor({-2.0, 2.0, 0.0, -1.0 + 5.0 / 255.0}, at::kDouble).view({1, 1, 2, 2}).expand({1, 3, 2, 2});
  const auto images = to_images(pixels);
  REQUIRE(images.size() == 1);
  const auto& levels = images.front().pixels;
  CHECK(levels[0] == 0);
  CHECK(levels[3] == 255);
  CHECK(levels[6] == 128);
  CHECK(levels[9] == 2);
}
