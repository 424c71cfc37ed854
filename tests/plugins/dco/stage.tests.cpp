// The two stages in the framework's trainer, on tiny models.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linalg_vector_norm.h>

#include <cmath>

#include "framework/core/error.h"
#include "framework/methods/diffusion_loss.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/prompts.h"
#include "tests/plugins/dco/world.h"

using namespace dco_world;

namespace {

/// Gradients by name as one step leaves them, before clipping.
TensorMap gradients_of(Run& run, std::int64_t step, std::int64_t rows = 1) {
  TensorMap gradients;
  run.trainer.on_gradients([&](const FlatParameters& parameters) {
    for (const auto& slot : parameters.slots()) {
      gradients[slot.parameter.name] = FlatParameters::view(parameters.gradients(), slot).clone();
    }
  });
  (void)run.step(step, rows);
  run.trainer.on_gradients({});
  return gradients;
}

double loss_of(const StepResult& result) { return result.loss.item<double>(); }

/// LoRA on the same layers by the plain noise-prediction loss, as a method would be written that knows nothing of DCO.
class PlainLora final : public Stage {
 public:
  explicit PlainLora(const dco::Settings& settings) : settings_(settings) {}
  DataSpec data() const override { return settings_.data; }
  TrainSpec train() const override { return settings_.train; }
  std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override {
    session_ = &session;
    updates_ = attach_low_rank(session, start, draws, dco::attention_layers(session), settings_.rank);
    return {{.name = "lora",
             .parameters = updates_,
             .learning_rate = settings_.learning_rate,
             .weight_decay = settings_.weight_decay}};
  }
  void describe(const Photo& photo, Sample& sample, Draws&) override {
    sample.caption = with_phrase(photo.caption, settings_.class_word);
  }
  StepTensors per_step(const std::vector<Sample>& samples, Draws&) override {
    StepTensors tensors;
    FrozenPrompts(*session_).put(tensors, "caption", captions(samples));
    return tensors;
  }
  Terms forward(const Batch& batch, const StepTensors& tensors) override {
    return diffusion_terms(predict(*session_, batch, FrozenPrompts::take(tensors, "caption")), batch);
  }
  void save(ArtifactWriter& writer) const override {
    for (const auto& update : updates_) writer.tensor(update.name, update.tensor);
  }

 private:
  const dco::Settings settings_;
  Session* session_ = nullptr;
  std::vector<Parameter> updates_;
};

bool same(const TensorMap& a, const TensorMap& b) {
  return a.size() == b.size() && std::ranges::all_of(a, [&](const auto& entry) {
           return b.contains(entry.first) && at::equal(entry.second, b.at(entry.first));
         });
}

}  // namespace

TEST_CASE("Style, first step: exactly log 2, downs without gradient, ups with beta/2 times the plain loss's",
          "[dco][style]") {
  for (const char* family : {"sd15", "sd21", "sdxl"}) {
    const auto base = tiny_base(family, c10::kDouble);
    Run run(base, dco::make_stage(style_settings()));
    Run plain(base, std::make_unique<PlainLora>(style_settings()));
    const auto gradients = gradients_of(run, 0), expected = gradients_of(plain, 0);
    CHECK(loss_of(Run(base, dco::make_stage(style_settings())).step(0)) == std::log(2.0));
    bool some = false;
    for (const auto& [name, gradient] : gradients) {
      INFO(name);
      if (name.ends_with("lora_A.weight")) CHECK(gradient.abs().max().item<double>() == 0.0);
      CHECK(at::allclose(gradient, expected.at(name) * 500.0, 1e-10, 1e-10));
      some = some || (name.ends_with("lora_B.weight") && gradient.abs().max().item<double>() > 1e-3);
    }
    CHECK(some);
  }
}

TEST_CASE("Style, first step: both errors are the same to the bit in every type", "[dco][style]") {
  for (const auto type : {c10::kFloat, c10::kBFloat16}) {
    for (const char* family : {"sd15", "sdxl"}) {
      INFO(family << " " << c10::toString(type));
      const StepResult result = Run(tiny_base(family, type), dco::make_stage(style_settings())).step(0, 2);
      CHECK(at::equal(result.terms.at("mse"), result.terms.at("reference")));
      CHECK(loss_of(result) == static_cast<double>(static_cast<float>(std::log(2.0))));
    }
  }
}

TEST_CASE("Subject, first step: log 2 where both texts are the same, another loss where SDXL pools at the token",
          "[dco][subject]") {
  const auto loss = [](const char* family, const Json& chosen) {
    return loss_of(Run(tiny_base(family, c10::kDouble), dco::make_stage(subject_settings(chosen))).step(0));
  };
  CHECK(loss("sdxl", {{"pool", "eos"}}) == Approx(std::log(2.0)).epsilon(1e-12));
  CHECK(std::abs(loss("sdxl", {{"pool", "argmax"}}) - std::log(2.0)) > 1e-3);
  CHECK(loss("sd15", {}) == Approx(std::log(2.0)).epsilon(1e-12));
}

TEST_CASE("The gradient is beta σ(beta Δ) times that of the model's own error; the reference has none",
          "[dco][style]") {
  const auto base = tiny_base("sd15", c10::kDouble);
  Session session(base);
  const Start start = random_updates(session);
  for (const auto step : {0, 1, 2}) {
    Run run(base, dco::make_stage(style_settings({{"dcoloss_beta", 20.0}})), start);
    Run plain(base, std::make_unique<PlainLora>(style_settings()), start);
    const auto expected = gradients_of(plain, step, 2);
    TensorMap gradients;
    run.trainer.on_gradients([&](const FlatParameters& parameters) {
      for (const auto& slot : parameters.slots())
        gradients[slot.parameter.name] = FlatParameters::view(parameters.gradients(), slot).clone();
    });
    const StepResult result = run.step(step, 2);
    const double difference = (result.terms.at("mse") - result.terms.at("reference")).item<double>();
    const double factor = 20.0 / (1.0 + std::exp(-20.0 * difference));
    CHECK(std::abs(difference) > 1e-4);
    for (const auto& [name, gradient] : gradients) {
      CHECK(at::allclose(gradient, expected.at(name) * factor, 1e-9, 1e-12));
    }
  }
}

TEST_CASE("The terms of a step: the reference error is outside of every graph", "[dco][subject]") {
  Run run(tiny_base("sdxl"), dco::make_stage(subject_settings()));
  RandomDraws draws({.seed = 1, .stage = 0, .step = 0, .slot = -1});
  const auto inputs = batch_for(run.session, *run.stage, 0, 2);
  const Batch batch = run.trainer.loss().make_batch(inputs);
  const StepTensors tensors = run.trainer.loss().prepare(inputs, draws);
  for (const auto& [name, tensor] : tensors.rows) {
    INFO(name);
    CHECK_FALSE(tensor.requires_grad());
  }
  const Terms terms = run.stage->forward(batch, tensors);
  CHECK(terms.at("mse").per_sample.requires_grad());
  CHECK_FALSE(terms.at("reference").per_sample.requires_grad());
  CHECK(terms.at("reference").per_sample.size(0) == 2);
}

TEST_CASE("beta of 0 or less is LoRA by the plain loss, step for step, bit for bit", "[dco][style]") {
  const auto base = tiny_base("sd15");
  for (const double beta : {0.0, -1.0}) {
    Run run(base, dco::make_stage(style_settings({{"dcoloss_beta", beta}})));
    Run plain(base, std::make_unique<PlainLora>(style_settings()));
    for (std::int64_t step = 0; step < 3; ++step) {
      const auto ours = run.step(step, 2), theirs = plain.step(step, 2);
      CHECK(loss_of(ours) == loss_of(theirs));
      CHECK_FALSE(ours.terms.contains("reference"));
    }
    CHECK(same(published(*run.stage).tensors, published(*plain.stage).tensors));
  }
}

TEST_CASE("The first update moves ups by the rate, downs by weight decay alone", "[dco][style]") {
  Run run(tiny_base("sd15", c10::kDouble), dco::make_stage(style_settings()));
  const auto before = published(*run.stage).tensors;
  const auto gradients = gradients_of(run, 0);
  const double norm = [&] {
    double squares = 0;
    for (const auto& [name, gradient] : gradients) squares += gradient.square().sum().item<double>();
    return std::sqrt(squares);
  }();
  REQUIRE(norm > 1.0);  // clipping is at work
  for (const auto& [name, after] : published(*run.stage).tensors) {
    INFO(name);
    const Tensor& start = before.at(name);
    if (name.ends_with("lora_A.weight")) CHECK(at::allclose(after, start * (1.0 - 5e-9), 1e-14, 0.0));
    if (!name.ends_with("lora_B.weight")) continue;
    const Tensor clear = (gradients.at(name) / norm).abs() > 1e-5;
    if (!clear.any().item<bool>()) continue;
    const Tensor moved = (after - start).abs().masked_select(clear);
    CHECK(moved.max().item<double>() <= 5e-5 * (1 + 1e-9));
    CHECK(moved.min().item<double>() > 5e-5 * 0.998);
  }
}

TEST_CASE("Above the limit the loss's scale does not change the update", "[dco][subject]") {
  const auto base = tiny_base("sd15", c10::kDouble);
  Session session(base);
  const auto update = [&](double divisor) {
    auto settings = subject_settings();
    settings.train.loss_divisor = divisor;
    Run run(base, dco::make_stage(std::move(settings)), random_updates(session));
    const StepResult result = run.step(0);
    CHECK(result.grad_norm.item<double>() > 1.0);
    return published(*run.stage).tensors;
  };
  const auto one = update(0.01), ten = update(0.001);
  for (const auto& [name, tensor] : one) {
    INFO(name);
    CHECK(at::linalg_vector_norm(tensor - ten.at(name)).item<double>() <=
          1e-6 * 5e-5 * std::sqrt(static_cast<double>(tensor.numel())) + 1e-10);
  }
}

TEST_CASE("Captions: the photo's own with the token in it, the base model's with the class word", "[dco][subject]") {
  const auto stage = dco::make_stage(subject_settings({{"placeholder_token", "<mug>"}}));
  RandomDraws draws({});
  Sample sample;
  stage->describe({.path = {}, .caption = "a {} beside a {}", .base_caption = {}}, sample, draws);
  CHECK(sample.caption == "a <mug> beside a <mug>");
  CHECK(sample.texts.at("base") == "a man beside a man");
  stage->describe({.path = {}, .caption = "a {} on grass", .base_caption = "a person on grass"}, sample, draws);
  CHECK(sample.texts.at("base") == "a person on grass");
  stage->describe({}, sample, draws);
  CHECK(sample.caption == "a photo of <mug>");
  CHECK(sample.texts.at("base") == "a photo of man");
  Sample of_style;
  dco::make_stage(style_settings())
      ->describe({.path = {}, .caption = "a cat, {}", .base_caption = {}}, of_style, draws);
  CHECK(of_style.caption == "a cat, flat cartoon");
  CHECK(of_style.texts.empty());
}

TEST_CASE("A subject's caption without the token is refused", "[dco][subject]") {
  Run run(tiny_base("sd15"), dco::make_stage(subject_settings()));
  RandomDraws draws({});
  CHECK_THROWS_AS(run.stage->per_step({{.caption = "a man on grass", .texts = {{"base", "a man"}}}}, draws), Error);
}
