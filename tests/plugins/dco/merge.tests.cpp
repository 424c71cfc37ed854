// A subject and a style in one session, and guidance by branches.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>

#include "framework/methods/low_rank.h"
#include "framework/methods/plugin.h"
#include "framework/models/linear.h"
#include "framework/sampling/guidance.h"
#include "tests/plugins/dco/world.h"

using namespace dco_world;

extern "C" const PluginTable* atelier_plugin();

namespace {

/// The branches of a guided step as the plugin has them, with these encoded texts.
std::vector<Branch> rewarded(const TextCondition& none, const TextCondition& base, const TextCondition& text,
                             double guidance, double reward) {
  const std::unique_ptr<Method, void (*)(Method*)> method(atelier_plugin()->create(), atelier_plugin()->destroy);
  std::vector<Branch> branches;
  for (const auto& branch :
       method->branches({.prompt = "tuned", .base_prompt = "base", .guidance = guidance, .reward = reward})) {
    branches.push_back({.name = branch.name,
                        .text = !branch.text             ? none
                                : *branch.text == "base" ? base
                                                         : text,
                        .weight = branch.weight,
                        .adapter_scale = branch.adapter_scale});
  }
  return branches;
}

/// An artifact's updates, of any rank.
TensorMap updates(Session& session, std::int64_t rank, std::uint64_t seed) {
  TensorMap tensors;
  for (const auto& layer : dco::attention_layers(session)) {
    const auto shape = session.layer_shape(layer);
    tensors[layer + ".lora_A.weight"] = random_tensor({rank, shape[1]}, ++seed) * 0.3;
    tensors[layer + ".lora_B.weight"] = random_tensor({shape[0], rank}, ++seed) * 0.2;
  }
  return tensors;
}

using Weighted = std::vector<std::pair<TensorMap, double>>;

Tensor answer(const std::shared_ptr<const Base>& base, const Weighted& artifacts) {
  Session session(base);
  for (const auto& [tensors, weight] : artifacts) apply_low_rank(session, tensors, weight);
  return session.unet().forward(unet_input(session, session.encode({"a photo of a man"})));
}

/// The same by weights that are W + Σ w B A.
Tensor answer_of_sums(const std::shared_ptr<const Base>& base, const Weighted& artifacts) {
  Session session(base);
  for (const auto& layer : dco::attention_layers(session)) {
    Tensor weight = session.parameter(layer + ".weight").clone();
    for (const auto& [tensors, factor] : artifacts) {
      weight += factor * tensors.at(layer + ".lora_B.weight")
                             .to(weight.scalar_type())
                             .matmul(tensors.at(layer + ".lora_A.weight").to(weight.scalar_type()));
    }
    session.replace(layer + ".weight", weight);
  }
  return session.unet().forward(unet_input(session, session.encode({"a photo of a man"})));
}

double distance(const Tensor& a, const Tensor& b) {
  return ((a - b).abs().max() / b.square().mean().sqrt()).item<double>();
}

}  // namespace

TEST_CASE("Merged adapters are an unnormalised sum of their updates, of any ranks, in any order", "[dco][merge]") {
  const at::NoGradGuard no_grad;
  const auto base = tiny_base("sdxl", c10::kDouble);
  Session session(base);
  const auto subject = updates(session, 3, 10), style = updates(session, 5, 5000);
  const Tensor both = answer(base, {{subject, 1.0}, {style, 0.7}});
  CHECK(distance(both, answer_of_sums(base, {{subject, 1.0}, {style, 0.7}})) < 1e-10);
  CHECK(distance(answer(base, {{style, 0.7}, {subject, 1.0}}), both) < 1e-10);
  CHECK(at::equal(answer(base, {{subject, 1.0}, {style, 0.0}}), answer(base, {{subject, 1.0}})));
  CHECK(distance(answer(base, {{subject, 1.0}}), both) > 1e-3);
}

TEST_CASE("A guided step leaves the merge weights as they were", "[dco][merge]") {
  const at::NoGradGuard no_grad;
  Session session(tiny_base("sd15"));
  apply_low_rank(session, updates(session, 2, 10), 0.4);
  apply_low_rank(session, updates(session, 3, 5000), 1.7);
  const auto condition = session.encode({"a photo of a man"});
  const auto input = unet_input(session, condition);
  const Tensor before = session.unet().forward(input);
  GuidedModel guided(session.unet(), rewarded(session.encode({""}), session.encode({"a man"}), condition, 7.5, 3.0));
  (void)guided.predict(random_tensor({1, 4, 8, 8}, 3), 400);
  CHECK(at::equal(session.unet().forward(input), before));
  const auto layer = dco::attention_layers(session).front();
  const auto& adapters = session.unet().registry().linears.at(layer.substr(5))->adapters;
  REQUIRE(adapters.size() == 2);
  CHECK(adapters[0].scale == 0.4);
  CHECK(adapters[1].scale == 1.7);
}

TEST_CASE("The three branches' weights: the published toy", "[dco][guidance]") {
  const auto sum = [](double reward) {
    const auto branches = rewarded({}, {}, {}, 7.5, reward);
    return branches[0].weight * 0.10 + branches[1].weight * 0.30 + branches[2].weight * 0.35;
  };
  CHECK(sum(0.0) == Approx(1.60));
  CHECK(sum(3.0) == Approx(1.75));
  CHECK(sum(7.5) == Approx(1.975));
}

TEST_CASE("Untrained updates and one text: any reward scale is plain guidance; r = g mixes base and tuned model",
          "[dco][guidance]") {
  const at::NoGradGuard no_grad;
  const auto base = tiny_base("sdxl", c10::kDouble);
  const Tensor sample = random_tensor({2, 4, 8, 8}, 3).to(at::kDouble);
  const Tensor ids = at::tensor({64.0F, 64.0F, 0.0F, 0.0F, 64.0F, 64.0F}).unsqueeze(0);
  const auto predicted = [&](Session& session, std::vector<Branch> branches) {
    return GuidedModel(session.unet(), std::move(branches), ids).predict(sample, 400);
  };
  Run untrained(base, dco::make_stage(style_settings()));
  const auto empty = untrained.session.encode({""}), text = untrained.session.encode({"a photo of a man"});
  const Tensor plain = predicted(untrained.session, classifier_free_guidance(empty, text, 7.5));
  for (const double reward : {0.0, 3.0, 7.5, 12.0}) {
    CHECK(distance(predicted(untrained.session, rewarded(empty, text, text, 7.5, reward)), plain) < 1e-10);
  }
  Session session(base);
  const auto other = session.encode({"the photo"});
  apply_low_rank(session, updates(session, 2, 10), 1.0);
  const Tensor mixed = predicted(session, rewarded(empty, text, other, 7.5, 7.5));
  const Tensor unconditional = predicted(session, {{.name = "u", .text = empty, .weight = 1.0, .adapter_scale = 0.0}});
  const Tensor tuned = predicted(session, {{.name = "c", .text = other}});
  CHECK(distance(mixed, unconditional + 7.5 * (tuned - unconditional)) < 1e-10);
  // Without any reward the updates are not seen at all: another sampler than guidance by the tuned model.
  const Tensor none = predicted(session, rewarded(empty, text, other, 7.5, 0.0));
  CHECK(distance(none, plain) < 1e-10);
  CHECK(distance(predicted(session, classifier_free_guidance(empty, other, 7.5)), none) > 1e-3);
}
