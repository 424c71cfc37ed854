// The two stages in the framework's trainer, on a tiny model.
#include <ATen/ops/equal.h>
#include <ATen/ops/norm.h>

#include "framework/core/error.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/models/clip_text.h"
#include "framework/models/linear.h"
#include "framework/models/vae.h"
#include "plugins/textreg/updates.h"
#include "tests/plugins/textreg/world.h"

using namespace atelier;
using namespace atelier::textreg;

namespace {

constexpr const char* kUp = "lora_B.weight";
constexpr const char* kDown = "lora_A.weight";

/// A stage in its trainer.
struct Run {
  explicit Run(std::unique_ptr<Stage> made, const Start& start = {})
      : session(tiny_base()),
        stage(std::move(made)),
        initial({.seed = 0, .stage = 0, .step = -1, .slot = -1}),
        trainer(session, *stage, start, initial) {}
  Session session;
  std::unique_ptr<Stage> stage;
  RandomDraws initial;
  Trainer trainer;
};

std::unique_ptr<Stage> token_stage(const Json& chosen = Json::object()) {
  return make_token_stage(settings_for("ti", resolved(chosen)), true);
}

std::unique_ptr<Stage> lora_stage(const Json& chosen = Json::object(), LoRALoss loss = {}) {
  return make_lora_stage(settings_for("ut", resolved(chosen)), std::move(loss));
}

LoRALoss weights(double alpha, double beta) {
  LoRALoss loss;
  loss.class_weight = alpha;
  loss.edit_weight = beta;
  return loss;
}

/// Every weight of the base, by component.
std::map<std::string, TensorMap> base_weights(Session& session) {
  std::map<std::string, TensorMap> all;
  const auto add = [&](const char* component, const Registry& registry) {
    for (const auto& [name, slot] : registry.parameters) all[component][name] = slot->detach().clone();
  };
  add("unet", session.unet().registry());
  add("vae", session.vae().registry());
  add("text_encoder", session.text(0).registry());
  return all;
}

bool same(const std::map<std::string, TensorMap>& a, const std::map<std::string, TensorMap>& b) {
  for (const auto& [component, tensors] : a) {
    for (const auto& [name, tensor] : tensors) {
      if (!at::equal(tensor, b.at(component).at(name))) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("Stage ti changes the identifier's row and nothing else", "[textreg][ti]") {
  Run run(token_stage());
  const auto before = base_weights(run.session);
  const Tensor row = published(*run.stage).tensors.at(kToken);
  make_steps(run.trainer, *run.stage, 3);
  CHECK(same(before, base_weights(run.session)));
  const auto after = published(*run.stage);
  CHECK(after.tensors.size() == 1);
  CHECK_FALSE(at::equal(after.tensors.at(kToken), row));
  CHECK(after.handed_on.empty());
}

TEST_CASE("Stage ti with carried gradients leaves ups at exactly 0 and hands the sums on", "[textreg][ti]") {
  Run run(token_stage({{"carry_ti_grads", true}, {"lora_rank", 4}}));
  make_steps(run.trainer, *run.stage, 2);
  const auto artifact = published(*run.stage);
  CHECK(artifact.tensors.size() == 1);
  bool some = false;
  for (const auto& [name, tensor] : artifact.handed_on) {
    const bool zero = tensor.abs().sum().item<float>() == 0.0F;
    if (name.starts_with("carry.")) {
      some = some || !zero;
      if (name.ends_with(kDown)) CHECK(zero);  // the ups are 0
    } else {
      CHECK(zero == name.ends_with(kUp));
    }
  }
  CHECK(some);
}

TEST_CASE("Stage ut keeps identifier, base and text encoder, and changes only its updates", "[textreg][ut]") {
  Run run(lora_stage({{"lora_rank", 4}}));
  const auto before = base_weights(run.session);
  const auto start = published(*run.stage).tensors;
  make_steps(run.trainer, *run.stage, 3);
  CHECK(same(before, base_weights(run.session)));
  for (const auto& [name, tensor] : published(*run.stage).tensors) {
    INFO(name);
    CHECK(at::equal(tensor, start.at(name)) == (name == kToken));
  }
}

TEST_CASE("The first step of ut moves ups by the learning rate, downs by weight decay alone", "[textreg][ut]") {
  Run run(lora_stage({{"lora_rank", 4}}, weights(0.0, 0.0)));
  TensorMap gradients;
  run.trainer.on_gradients([&](const FlatParameters& parameters) {
    for (const auto& slot : parameters.slots()) {
      gradients[slot.parameter.name] = FlatParameters::view(parameters.gradients(), slot).clone();
    }
  });
  const auto start = published(*run.stage).tensors;
  make_steps(run.trainer, *run.stage, 1);
  for (const auto& [name, tensor] : published(*run.stage).tensors) {
    if (name == kToken) continue;
    const Tensor change = tensor - start.at(name), gradient = gradients.at(name);
    if (name.ends_with(kDown)) {
      CHECK(gradient.abs().sum().item<float>() == 0.0F);
      CHECK(at::allclose(tensor, start.at(name) * (1 - 4e-6), 1e-6, 0));
    } else {
      const Tensor large = gradient.abs() > 1e-5;  // else Adam's epsilon shows
      CHECK(at::allclose(change.masked_select(large), gradient.masked_select(large).sign() * -4e-4, 1e-2, 0));
    }
  }
}

TEST_CASE("Large weights of the two terms keep the updates silent", "[textreg][ut]") {
  const auto term_after = [](double weight) {
    Run run(lora_stage({{"lora_rank", 4}, {"ut.learning_rate", 2e-3}}, weights(weight, weight)));
    make_steps(run.trainer, *run.stage, 25);
    RandomDraws draws({.seed = 1, .stage = 0, .step = 25, .slot = -1});
    return run.trainer.loss().evaluate(batch_for(*run.stage, 25), draws).terms.at("r_class").item<double>();
  };
  CHECK(term_after(10.0) < 0.5 * term_after(0.0));
}

TEST_CASE("A trained text encoder has updates of its own, at its own rate", "[textreg][ut]") {
  Run run(lora_stage({{"lora_rank", 4}, {"train_text_encoder", true}}));
  const auto& groups = run.trainer.parameters().groups();
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].learning_rate == Approx(4e-4));
  CHECK(groups[1].learning_rate == Approx(1e-5));
  make_steps(run.trainer, *run.stage, 2);
  double sum = 0;
  for (const auto& [name, tensor] : published(*run.stage).tensors) {
    if (name.starts_with("text_encoder.text_model") && name.ends_with(kUp)) sum += tensor.abs().sum().item<double>();
  }
  CHECK(sum > 0);
}

TEST_CASE("Gradients to carry are an error while the switch is off", "[textreg][ut]") {
  Session session(tiny_base());
  const auto name = unet_layers(session, "cross").front() + ".lora_B.weight";
  const Start start({{"carry." + name, at::zeros({1})}});
  CHECK_THROWS_AS(Run(lora_stage({{"lora_rank", 4}}), start), Error);
}

TEST_CASE("An initializer beyond a small token table is refused with advice", "[textreg][ti]") {
  CHECK_THROWS_WITH(Run(token_stage({{"initializer_id", 42170}})), Catch::Contains("initializer_id"));
}

TEST_CASE("The identifier can start from the class word's last token", "[textreg][ti]") {
  Run run(token_stage({{"init_placeholder_as_class", true}, {"mask_identifier_causal_attention", false}}));
  CHECK(at::equal(published(*run.stage).tensors.at(kToken), run.session.token_vector("man", 0)));
}

TEST_CASE("Applied with weight 0 an artifact leaves prompts without the identifier as the base has them",
          "[textreg][apply]") {
  const at::NoGradGuard no_grad;
  Run run(lora_stage({{"lora_rank", 4}}));
  {
    const at::AutoGradMode training(true);
    make_steps(run.trainer, *run.stage, 2);
  }
  const auto tensors = published(*run.stage).tensors;
  const auto answer = [&](std::optional<double> weight) {
    Session session(tiny_base());
    if (weight) {
      apply_token(session, tensors, "<krk1>", "test");
      apply_low_rank(session, tensors, *weight);
    }
    return session.unet().forward({.sample = random_tensor({1, 4, 8, 8}, 1),
                                   .timesteps = at::full({1}, 300, at::kLong),
                                   .context = session.encode({"a photo of a man"}).context,
                                   .text_embeds = {},
                                   .time_ids = {}});
  };
  CHECK(at::equal(answer(std::nullopt), answer(0.0)));
  CHECK_FALSE(at::equal(answer(std::nullopt), answer(1.0)));
}
