// The plugin as the worker opens it, on a tiny model. Its numbers are compared with the reference of
// tests/parity/reference_methods_dreambooth.py by tests/parity/methods.tests.cpp.
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/known_configs.h"
#include "framework/methods/loader.h"
#include "framework/methods/stage_settings.h"
#include "framework/models/clip_text.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"
#include "framework/training/trainer.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

const MethodPlugin& plugin() {
  static const MethodPlugin opened = MethodPlugin::open(ATELIER_PLUGIN);
  return opened;
}

Json resolved(const Json& chosen, const std::string& preset = "") {
  return resolve_options(plugin().spec(), preset, chosen, "test");
}

std::unique_ptr<Stage> stage(const Json& chosen, const std::string& preset = "") {
  const Concept subject{.name = "rex", .class_word = "dog", .initializer = {}, .kind = {}};
  return plugin().create()->stage("finetune", options_of_stage(plugin().spec(), "finetune", resolved(chosen, preset)),
                                  subject, {});
}

std::string caption(Stage& stage, bool of_class) {
  RandomDraws draws({});
  Sample sample;
  stage.describe({.path = {}, .caption = "a caption of its own", .base_caption = {}, .of_class = of_class}, sample,
                 draws);
  return sample.caption;
}

BatchInputs inputs(Stage& stage, std::int64_t rows, std::int64_t instance_rows) {
  BatchInputs batch{.latents = tiny::random({rows, 4, 8, 8}, 1),
                    .noise = tiny::random({rows, 4, 8, 8}, 2),
                    .timesteps = at::arange(rows) * 211 + 17,
                    .mask = {},
                    .time_ids = {},
                    .samples = {},
                    .instance_rows = instance_rows};
  for (std::int64_t row = 0; row < rows; ++row) {
    batch.samples.push_back({.caption = caption(stage, row >= instance_rows), .texts = {}});
  }
  return batch;
}

TensorMap copies(Session& session) {
  TensorMap all;
  const auto add = [&](const std::string& component, const Registry& registry) {
    for (const auto& [name, slot] : registry.parameters) all[component + "." + name] = slot->detach().clone();
  };
  add("unet", session.unet().registry());
  add("text_encoder", session.text(0).registry());
  add("vae", session.vae().registry());
  return all;
}

/// One optimizer step in the session; what the stage saves then.
tiny::Kept trained(Session& session, const Json& chosen) {
  const auto learning = stage(chosen);
  RandomDraws draws({.slot = -1});
  Trainer trainer(session, *learning, Start(), draws);
  const bool prior = chosen.value("with_prior_preservation", false);
  static_cast<void>(trainer.step(inputs(*learning, 2, prior ? 1 : 2), draws));
  tiny::Kept kept;
  learning->save(kept);
  return kept;
}

std::int64_t real_parameters(Family family) {
  // Tensors of the real shapes without memory: one zero, expanded.
  const auto maker = [](const std::string&, at::IntArrayRef shape) { return at::zeros({1}).expand(shape); };
  UNet unet(known_configs(family, false).at("unet"), Weights("real shapes", {}, maker, Placement{}));
  std::int64_t count = 0;
  for (const auto& [name, slot] : unet.registry().parameters) count += slot->numel();
  return count;
}

}  // namespace

TEST_CASE("dreambooth: what learns changes, and everything else stays bit-identical", "[dreambooth]") {
  struct Row {
    Json chosen;
    bool text;
  };
  const std::vector<Row> rows{{{{"finetune.learning_rate", 1e-3}}, false},
                              {{{"finetune.learning_rate", 1e-3}, {"train_text_encoder", true}}, true},
                              {{{"finetune.learning_rate", 1e-3}, {"with_prior_preservation", true}}, false}};
  const auto base = tiny::base("sd15");
  Session untouched(base);
  const TensorMap before = copies(untouched);
  for (const auto& row : rows) {
    CAPTURE(row.chosen.dump());
    Session session(base);
    const auto kept = trained(session, row.chosen);
    std::size_t changed = 0;
    for (const auto& [name, value] : copies(session)) {
      INFO(name);
      const bool learns = name.starts_with("unet.") || (row.text && name.starts_with("text_encoder."));
      CHECK(at::equal(value, before.at(name)) != learns);
      CHECK(kept.tensors.contains(name) == learns);
      if (learns) CHECK(at::equal(kept.tensors.at(name), value));
      changed += learns ? 1 : 0;
    }
    CHECK(kept.tensors.size() == changed);
    CHECK(kept.aux_tensors.empty());
  }
  // The base that they share was never written to.
  Session fresh(base);
  for (const auto& [name, value] : copies(fresh)) CHECK(at::equal(value, before.at(name)));
}

TEST_CASE("dreambooth: what a stage saves, apply() brings back into another session", "[dreambooth]") {
  const auto base = tiny::base("sd21");
  Session session(base), applied(base), plain(base);
  const auto kept = trained(session, {{"finetune.learning_rate", 1e-3}, {"train_text_encoder", true}});
  const auto method = plugin().create();
  const TrainedArtifact artifact{.tensors = kept.tensors, .notes = kept.notes};
  method->apply(applied, artifact, 1.0);
  const at::NoGradGuard no_grad;
  const auto picture = [](Session& own) {
    const UNetInput input{.sample = tiny::random({1, 4, 8, 8}, 5),
                          .timesteps = at::arange(1) + 500,
                          .context = own.encode(std::vector<std::string>{"a photo of sks dog"}).context,
                          .text_embeds = {},
                          .time_ids = {}};
    return own.unet().forward(input);
  };
  // Layers that learn are computed by other kernels, which differ in the last bits.
  CHECK(at::allclose(picture(applied), picture(session), 1e-5, 1e-5));
  CHECK_FALSE(at::allclose(picture(applied), picture(plain), 1e-2, 1e-2));
  CHECK_THROWS_WITH(method->apply(applied, artifact, 0.5), Catch::Contains("weight 0.5"));
  CHECK_THROWS_WITH(method->apply(applied, {.tensors = {}, .notes = {}}, 1.0),
                    Catch::Contains("without weights of a UNet"));
}

TEST_CASE("dreambooth: the authors' files are the components that were trained, by their own names", "[dreambooth]") {
  const auto base = tiny::base("sd15");
  Session session(base);
  const auto kept = trained(session, {{"train_text_encoder", true}});
  const auto files = plugin().create()->files({.tensors = kept.tensors, .notes = kept.notes}, {});
  REQUIRE(files.size() == 2);
  const auto& unet = files.at("unet/diffusion_pytorch_model.safetensors");
  CHECK(unet.tensors.size() == session.unet().registry().parameters.size());
  CHECK(unet.tensors.contains("conv_in.weight"));
  CHECK(unet.metadata.at("format") == "pt");
  CHECK(files.at("text_encoder/model.safetensors").tensors.contains("text_model.final_layer_norm.weight"));

  Session alone(base);
  const auto less = trained(alone, Json::object());
  CHECK(plugin().create()->files({.tensors = less.tensors, .notes = {}}, {}).size() == 1);
}

TEST_CASE("dreambooth: the whole UNet of the real models is counted", "[dreambooth]") {
  CHECK(real_parameters(Family::sd1) == 859'520'964);
  CHECK(real_parameters(Family::sd2) == 865'910'724);
}

TEST_CASE("dreambooth: photos and images of the class have one caption each", "[dreambooth]") {
  const auto prior = stage({{"with_prior_preservation", true}});
  CHECK(caption(*prior, false) == "a photo of sks dog");
  CHECK(caption(*prior, true) == "a photo of dog");
  const auto other = stage({{"with_prior_preservation", true},
                            {"placeholder_token", "zwx"},
                            {"instance_prompt", "a picture of my {} here"},
                            {"class_prompt", "one {}"}});
  CHECK(caption(*other, false) == "a picture of my zwx dog here");
  CHECK(caption(*other, true) == "one dog");
  CHECK_THROWS_WITH(resolved({{"class_prompt", "one {}"}}), Catch::Contains("with_prior_preservation"));
}

TEST_CASE("dreambooth: min-SNR weighs the rows of the photos by their own timesteps", "[dreambooth]") {
  struct Row {
    const char* family;
    double velocity;
  };
  for (const auto& row : {Row{"sd15", 0.0}, Row{"sd21", 1.0}}) {
    CAPTURE(row.family);
    const auto base = tiny::base(row.family);
    const auto noise = read_training_noise(base->checkpoint().scheduler_config());
    const auto alphas = noise.schedule.alpha_bars();
    const auto rows_of = [&](const Json& chosen) {
      Session session(base);
      const auto learning = stage(chosen);
      RandomDraws draws({.slot = -1});
      static_cast<void>(learning->attach(session, Start(), draws));
      const auto batch = tiny::batch(*base, 4, 2);
      return learning->forward(batch, learning->per_step(inputs(*learning, 4, 2).samples, draws));
    };
    const auto plain = rows_of({{"with_prior_preservation", true}});
    const auto weighed = rows_of({{"with_prior_preservation", true}, {"snr_gamma", 5.0}});
    CHECK(at::equal(plain.at("prior").per_sample, weighed.at("prior").per_sample));
    for (std::int64_t i = 0; i < 2; ++i) {
      const double alpha = alphas[static_cast<std::size_t>(17 + 211 * i)];
      const double snr = alpha / (1.0 - alpha);
      const double expected = std::min(snr, 5.0) / snr + row.velocity;
      const double found = (weighed.at("mse").per_sample[i] / plain.at("mse").per_sample[i]).item<double>();
      CHECK(found == Approx(expected).epsilon(1e-4));
    }
  }
}

TEST_CASE("dreambooth: SDXL is refused with what to do", "[dreambooth]") {
  Session session(tiny::base("sdxl"));
  RandomDraws draws({});
  const auto learning = stage(Json::object());
  CHECK_THROWS_WITH(learning->attach(session, Start(), draws), Catch::Contains("SDXL"));
}

TEST_CASE("dreambooth: the presets are those of the README", "[dreambooth]") {
  const Json plain = resolved(Json::object());
  CHECK(plain.at("finetune.learning_rate") == 5e-6);
  CHECK(plain.at("finetune.max_train_steps") == 400);
  CHECK(plain.at("finetune.train_batch_size") == 1);
  CHECK(plain.at("with_prior_preservation") == false);
  const Json text = resolved(Json::object(), "diffusers_text_encoder");
  CHECK(text.at("finetune.learning_rate") == 2e-6);
  CHECK(text.at("train_text_encoder") == true);
  CHECK(text.at("num_class_images") == 200);
  const Json paper = resolved(Json::object(), "paper");
  CHECK(paper.at("finetune.max_train_steps") == 1000);
  CHECK(paper.at("num_class_images") == 1000);
  CHECK(resolved(Json::object(), "pocket").at("finetune.max_train_steps") == 100);
  CHECK(resolved(Json::object(), "pocket_overtrained").at("finetune.max_train_steps") == 300);
}

TEST_CASE("dreambooth: pictures are cropped at a drawn place and never mirrored", "[dreambooth]") {
  const auto data = stage(Json::object())->data();
  CHECK(data.recipe.random_crop);
  CHECK(data.recipe.flip_probability == 0.0);
  CHECK_FALSE(stage({{"center_crop", true}})->data().recipe.random_crop);
  CHECK(stage({{"offset_noise", 0.1}})->train().offset_noise == 0.1);
}
