// The stage in the framework's trainer and data room, on tiny models.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <fstream>
#include <map>
#include <set>

#include "framework/core/error.h"
#include "framework/image/encode.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/stage_settings.h"
#include "framework/methods/trainable.h"
#include "framework/models/clip_text.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"
#include "framework/tensor/tensor_io.h"
#include "framework/training/trainer.h"
#include "framework/training/training_data.h"
#include "plugins/custom_diffusion/files.h"
#include "plugins/custom_diffusion/kv_stage.h"
#include "plugins/custom_diffusion/spec.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::custom_diffusion;

namespace {

constexpr const char* kToken = "text_encoder.token.<new1>";

PromptLists prompt_lists() {
  return {{kFarCaptions, {"a far away {}", "very small {}"}}, {kNearCaptions, {"zoomed in {}", "close up {}"}}};
}

std::unique_ptr<Stage> stage_with(const Json& chosen) {
  const auto spec = make_spec();
  const Json values = resolve_options(spec, "", chosen, "test");
  return make_kv_stage(Settings::read(options_of_stage(spec, kStage, values),
                                      {.name = "", .class_word = "man", .initializer = "", .kind = "object"},
                                      prompt_lists()));
}

Photo photo(double scale, bool of_class = false, const std::string& caption = "") {
  Photo made;
  made.scale = scale;
  made.of_class = of_class;
  made.caption = caption;
  return made;
}

/// Every parameter of the base, by full name.
TensorMap all_parameters(Session& session) {
  TensorMap all;
  const auto add = [&](const std::string& component, const Registry& registry) {
    for (const auto& [name, slot] : registry.parameters) all[component + "." + name] = slot->detach().clone();
  };
  add("unet", session.unet().registry());
  add("vae", session.vae().registry());
  for (std::size_t i = 0; i < session.text_towers(); ++i) {
    add(i == 0 ? "text_encoder" : "text_encoder_2", session.text(i).registry());
  }
  return all;
}

struct Run {
  Run(const std::string& family, const Json& chosen)
      : base(tiny::base(family)),
        session(base),
        stage(stage_with(chosen)),
        initial({.seed = 0, .stage = 0, .step = -1, .slot = -1}),
        trainer(session, *stage, Start(), initial) {}

  void make_step(const Tensor& mask = {}, const std::string& caption = "photo of a <new1> man") {
    const Batch drawn = tiny::batch(*base, 2, 2);
    BatchInputs batch{.latents = drawn.latents,
                      .noise = drawn.noise,
                      .timesteps = drawn.timesteps,
                      .mask = mask,
                      .time_ids = drawn.time_ids,
                      .samples = {},
                      .instance_rows = 2};
    for (int row = 0; row < 2; ++row) batch.samples.push_back({.caption = caption, .texts = {}});
    RandomDraws draws({.seed = 1, .stage = 0, .step = trainer.steps(), .slot = -1});
    result = trainer.step(batch, draws);
  }

  [[nodiscard]] TrainedArtifact artifact() const {
    tiny::Kept kept;
    stage->save(kept);
    return {.tensors = kept.tensors, .notes = kept.notes};
  }

  std::shared_ptr<const Base> base;
  Session session;
  std::unique_ptr<Stage> stage;
  RandomDraws initial;
  Trainer trainer;
  StepResult result;
};

bool learns(const std::string& name, bool queries) {
  if (name.find(".attn2.") == std::string::npos || !name.starts_with("unet.")) return false;
  const bool kv = name.ends_with(".to_k.weight") || name.ends_with(".to_v.weight");
  return kv || (queries && (name.find(".to_q.") != std::string::npos || name.find(".to_out.0.") != std::string::npos));
}

ModuleNames names_in(Session& session) {
  ModuleNames names;
  for (const auto& [name, tensor] : all_parameters(session)) {
    const auto dot = name.find('.');
    names.add(name.substr(0, dot), name.substr(dot + 1), tensor.sizes().vec());
  }
  return names;
}

}  // namespace

TEST_CASE("Only what the option names changes; every other weight stays bit for bit", "[custom_diffusion][stage]") {
  const std::string family = GENERATE("sd15", "sdxl");
  const bool queries = GENERATE(false, true);
  Run run(family, {{"freeze_model", queries ? "crossattn" : "crossattn_kv"}, {"kv.learning_rate", 1e-3}});
  const TensorMap before = all_parameters(run.session);
  run.make_step();
  run.make_step();
  std::size_t changed = 0, expected = 0, wrong = 0;
  for (const auto& [name, tensor] : all_parameters(run.session)) {
    const bool same = at::equal(tensor, before.at(name));
    changed += same ? 0 : 1;
    expected += learns(name, queries) ? 1 : 0;
    wrong += same == learns(name, queries) ? 1 : 0;
  }
  CHECK(wrong == 0);
  CHECK(changed == expected);
  const auto artifact = run.artifact();
  CHECK(artifact.tensors.size() == expected + run.session.text_towers());
  if (family == "sd15") CHECK(expected == 16U * (queries ? 5U : 2U));
  CHECK(artifact.tensors.contains(kToken));
}

TEST_CASE("Without the start token's gradient a text of nothing else teaches keys and values nothing",
          "[custom_diffusion][stage]") {
  const auto base = tiny::base("sd15", c10::kDouble);
  const auto gradients = [&](std::int64_t detached, std::int64_t length) {
    Session session(base);
    double sum = 0.0;
    TensorMap weights;
    for (const auto& pattern : learned_patterns(false)) {
      for (const auto& [name, tensor] : session.unfreeze(pattern)) weights[name] = tensor;
    }
    const Batch batch = tiny::batch(*base, 1, 1);
    UNetCall call;
    call.detached_text = detached;
    const Tensor context = tiny::random({1, 77, 32}, 5).narrow(1, 0, length);
    session.unet()
        .forward({.sample = batch.noisy_latents,
                  .timesteps = batch.timesteps,
                  .context = context.to(at::kDouble),
                  .text_embeds = {},
                  .time_ids = {}},
                 call)
        .square()
        .sum()
        .backward();
    for (const auto& [name, tensor] : weights) sum += tensor.grad().defined() ? tensor.grad().norm().item<double>() : 0;
    return sum;
  };
  CHECK(gradients(0, 1) > 1e-3);
  CHECK(gradients(1, 1) == 0.0);
  CHECK(gradients(1, 3) > 1e-3);
  CHECK(gradients(3, 3) == 0.0);
}

TEST_CASE("The masked loss is that of the published formula", "[custom_diffusion][loss]") {
  const Tensor prediction = tiny::random({2, 4, 3, 3}, 1), target = tiny::random({2, 4, 3, 3}, 2);
  const Tensor everything = at::ones({2, 1, 3, 3});
  const Tensor squares = (prediction - target).square();
  const Tensor all = masked_errors(prediction, target, everything);
  CHECK((all - squares.flatten(1).mean(1) * 4).abs().max().item<float>() < 1e-5);
  CHECK((masked_errors(prediction, target, {}) - squares.flatten(1).mean(1)).abs().max().item<float>() < 1e-6);
  const Tensor some = at::zeros({2, 1, 3, 3});
  some[0][0][1].fill_(1.0);
  const Tensor masked = masked_errors(prediction, target, some);
  CHECK(masked[0].item<float>() == Approx(squares[0].select(1, 1).sum().item<float>() / 3).epsilon(1e-5));
  CHECK(masked[1].item<float>() == 0.0F);  // nothing counts, and 0 / 0 is no number
}

TEST_CASE("Captions say how large a photo is in its picture", "[custom_diffusion][stage]") {
  const auto stage = stage_with({{"with_prior_preservation", true}});
  const auto caption = [&](const Photo& photo, std::int64_t slot = 0) {
    RandomDraws draws({.seed = 1, .stage = 0, .step = 0, .slot = slot});
    Sample sample;
    stage->describe(photo, sample, draws);
    return sample.caption;
  };
  CHECK(caption(photo(1.0)) == "photo of a <new1> man");
  CHECK(caption(photo(0.6)) == "photo of a <new1> man");
  CHECK(caption(photo(1.0, true)) == "man");
  CHECK(caption(photo(1.0, true, "two men")) == "two men");
  std::set<std::string> far, near;
  for (std::int64_t slot = 0; slot < 20; ++slot) {
    far.insert(caption(photo(0.5), slot));
    near.insert(caption(photo(1.3), slot));
  }
  CHECK(far == std::set<std::string>{"a far away photo of a <new1> man", "very small photo of a <new1> man"});
  CHECK(near == std::set<std::string>{"zoomed in photo of a <new1> man", "close up photo of a <new1> man"});
}

TEST_CASE("In a training's batches mask and caption tell the same of a photo", "[custom_diffusion][stage]") {
  const TemporaryFolder folder;
  auto picture = make_raster<Image>({80, 60});
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<std::uint8_t>(i * 7 % 251);
  const auto path = (folder / "photo.png").string();
  const auto bytes = encode_png(picture);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const auto base = tiny::base("sd15");
  const auto stage = stage_with({{"resolution", 64}, {"kv.train_batch_size", 4}});
  Photo shown = photo(1.0);
  shown.path = path;
  TrainingData data(*base, *stage, {.seed = 2, .steps = 6, .photos = std::vector<Photo>(4, shown)});
  std::map<std::string, int> kinds;
  for (std::int64_t step = 0; step < 6; ++step) {
    const BatchInputs batch = data.batches(step).front();
    REQUIRE(batch.mask.defined());
    for (std::int64_t row = 0; row < batch.size(); ++row) {
      const auto& caption = batch.samples[static_cast<std::size_t>(row)].caption;
      const auto counting = batch.mask[row].sum().item<float>();
      const auto place = caption.find("photo of");
      REQUIRE(place != std::string::npos);
      const auto kind = caption.substr(0, place);
      ++kinds[kind];
      const bool near = kind == "zoomed in " || kind == "close up ";
      const bool far = kind == "a far away " || kind == "very small ";
      INFO(caption << " " << counting);
      CHECK(near == (counting == 64.0F));
      // A side below 0.6 of 64 covers at most 5 latents, of which the outer two do not count.
      CHECK((!far || counting <= 9.0F));
    }
  }
  CHECK(kinds.size() >= 4);
}

TEST_CASE("The artifact restores the trained model in another session", "[custom_diffusion][stage]") {
  Run run("sd15", {{"freeze_model", "crossattn"}, {"kv.learning_rate", 1e-2}});
  run.make_step(at::ones({2, 1, 8, 8}));
  const auto artifact = run.artifact();
  Session applied(run.base);
  apply_token(applied, artifact.tensors, "<new1>", "test");
  restore(applied, artifact.tensors, "unet.*");
  const auto answer = [&](Session& session) {
    const at::NoGradGuard no_grad;
    const Batch batch = tiny::batch(*run.base, 1, 1);
    return session.unet().forward({.sample = batch.noisy_latents,
                                   .timesteps = batch.timesteps,
                                   .context = session.encode({"a <new1> man"}).context,
                                   .text_embeds = {},
                                   .time_ids = {}});
  };
  CHECK(at::equal(answer(applied), answer(run.session)));
}

TEST_CASE("The files have the names and tensors of diffusers' processors", "[custom_diffusion][files]") {
  Run run("sd15", {{"freeze_model", "crossattn"}});
  run.make_step();
  const auto artifact = run.artifact();
  const auto files = diffusers_files(artifact, names_in(run.session));
  REQUIRE(files.contains("pytorch_custom_diffusion_weights.safetensors"));
  REQUIRE(files.contains("<new1>.safetensors"));
  const auto& weights = files.at("pytorch_custom_diffusion_weights.safetensors").tensors;
  const std::string block = "mid_block.attentions.0.transformer_blocks.0.";
  const std::map<std::string, std::string> renamed{
      {"attn2.processor.to_k_custom_diffusion.weight", "attn2.to_k.weight"},
      {"attn2.processor.to_v_custom_diffusion.weight", "attn2.to_v.weight"},
      {"attn2.processor.to_q_custom_diffusion.weight", "attn2.to_q.weight"},
      {"attn2.processor.to_out_custom_diffusion.0.weight", "attn2.to_out.0.weight"},
      {"attn2.processor.to_out_custom_diffusion.0.bias", "attn2.to_out.0.bias"}};
  for (const auto& [file, own] : renamed) {
    INFO(file);
    REQUIRE(weights.contains(block + file));
    CHECK(at::equal(to_tensor(weights.at(block + file)), artifact.tensors.at("unet." + block + own)));
  }
  REQUIRE(weights.contains(block + "attn1.processor"));
  CHECK(weights.at(block + "attn1.processor").shape == std::vector<std::int64_t>{0});
  CHECK(weights.size() == 16U * 6U);
  const auto& token = files.at("<new1>.safetensors").tensors.at("<new1>");
  CHECK(at::equal(to_tensor(token).reshape(-1), artifact.tensors.at(kToken)));
  CHECK_THROWS_WITH(diffusers_files({.tensors = {}, .notes = {}}, names_in(run.session)),
                    Catch::Contains("without cross-attention weights"));
}
