// The stage in the framework's trainer, on tiny models: what learns, what stays, and what becomes of the artifact.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/artifact_file.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/stage_settings.h"
#include "framework/models/clip_text.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"
#include "framework/tensor/tensor_io.h"
#include "framework/training/trainer.h"
#include "plugins/dreambooth_lora/files.h"
#include "plugins/dreambooth_lora/lora_stage.h"
#include "plugins/dreambooth_lora/spec.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::dreambooth_lora;

namespace {

Settings settings_of(const Json& chosen, const std::string& preset = "") {
  const auto spec = make_spec();
  const Json values = resolve_options(spec, preset, chosen, "test");
  return Settings::read(options_of_stage(spec, kStage, values),
                        {.name = "", .class_word = "man", .initializer = "", .kind = "object"});
}

Photo photo(const std::string& caption, bool of_class) {
  Photo made;
  made.caption = caption;
  made.of_class = of_class;
  return made;
}

struct Trained {
  explicit Trained(const std::string& family, const Json& chosen)
      : base(tiny::base(family)),
        session(base),
        stage(make_lora_stage(settings_of(chosen))),
        initial({.seed = 0, .stage = 0, .step = -1, .slot = -1}),
        trainer(session, *stage, Start(), initial) {}

  void make_steps(std::int64_t count, std::int64_t rows = 2, std::int64_t instances = 2) {
    for (std::int64_t step = 0; step < count; ++step) {
      const Batch drawn = tiny::batch(*base, rows, instances);
      BatchInputs batch{.latents = drawn.latents,
                        .noise = drawn.noise,
                        .timesteps = drawn.timesteps,
                        .mask = {},
                        .time_ids = drawn.time_ids,
                        .samples = {},
                        .instance_rows = instances};
      for (std::int64_t row = 0; row < rows; ++row) {
        RandomDraws draws({.seed = 1, .stage = 0, .step = step, .slot = row});
        stage->describe(photo("", row >= instances), batch.samples.emplace_back(), draws);
      }
      RandomDraws draws({.seed = 1, .stage = 0, .step = step, .slot = -1});
      trainer.step(batch, draws);
    }
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
};

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

void check_frozen(const TensorMap& before, const TensorMap& after) {
  REQUIRE(before.size() == after.size());
  std::size_t changed = 0;
  for (const auto& [name, tensor] : before) changed += at::equal(tensor, after.at(name)) ? 0 : 1;
  CHECK(changed == 0);
}

ModuleNames names_of(Session& session) {
  ModuleNames names;
  for (const auto& [name, tensor] : all_parameters(session)) {
    const auto dot = name.find('.');
    names.add(name.substr(0, dot), name.substr(dot + 1), tensor.sizes().vec());
  }
  return names;
}

/// The middle of the tiny SD 1.5 and 2.1 has one place: which one it attends to is no question that could teach. The
/// fused kernel's gradient of queries and keys is then rounding, which Adam's division may enlarge to a whole step.
bool attends_alone(const std::string& family, const std::string& name) {
  return family != "sdxl" && name.starts_with("unet.mid_block.") &&
         (name.ends_with("attn1.to_q.lora_B.weight") || name.ends_with("attn1.to_k.lora_B.weight"));
}

/// What the model answers to fixed inputs.
Tensor answer(Session& session, const std::string& prompt) {
  const at::NoGradGuard no_grad;
  const Batch batch = tiny::batch(session.base(), 1, 1);
  const TextCondition text = session.encode({prompt});
  return session.unet().forward({.sample = batch.noisy_latents,
                                 .timesteps = batch.timesteps,
                                 .context = text.context,
                                 .text_embeds = session.base().is_sdxl() ? text.pooled : Tensor(),
                                 .time_ids = batch.time_ids});
}

}  // namespace

TEST_CASE("Only updates and the token change; every weight of the base stays bit for bit", "[dreambooth_lora][stage]") {
  const std::string family = GENERATE("sd15", "sd21", "sdxl");
  const bool prior = GENERATE(false, true);
  Json chosen{{"rank", 2}, {"train_text_encoder", true}, {"learn_token", true}, {"placeholder_token", "<x>"}};
  if (prior) chosen["with_prior_preservation"] = true;
  Trained run(family, chosen);
  const TensorMap before = all_parameters(run.session);
  const TensorMap start = run.artifact().tensors;
  if (prior) {
    run.make_steps(2, 4, 2);
  } else {
    run.make_steps(2);
  }
  check_frozen(before, all_parameters(run.session));
  const auto last =
      "text_encoder.text_model.encoder.layers." + std::to_string(run.session.text(0).config().layers - 1) + ".";
  for (const auto& [name, tensor] : run.artifact().tensors) {
    INFO(family << " " << name);
    // SDXL reads its first encoder before the last layer.
    const bool unread = family == "sdxl" && name.starts_with(last);
    if (!attends_alone(family, name)) CHECK(at::equal(tensor, start.at(name)) == unread);
  }
}

TEST_CASE(
    "An update has a gradient of 0 exactly where nothing reads it, and of no more than rounding where attention "
    "has no choice",
    "[dreambooth_lora][stage]") {
  const std::string family = GENERATE("sd15", "sd21", "sdxl");
  Trained run(family, {{"rank", 2}, {"train_text_encoder", true}});
  TensorMap gradients;
  run.trainer.on_gradients([&](const FlatParameters& parameters) {
    for (const auto& slot : parameters.slots())
      gradients[slot.parameter.name] = FlatParameters::view(parameters.gradients(), slot).clone();
  });
  run.make_steps(1);
  const auto largest = [&](const std::string& name) { return gradients.at(name).abs().max().item<double>(); };
  const double all = largest("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_v.lora_B.weight");
  REQUIRE(all > 0.0);
  const auto last =
      "text_encoder.text_model.encoder.layers." + std::to_string(run.session.text(0).config().layers - 1) + ".";
  std::size_t alone = 0;
  for (const auto& [name, gradient] : gradients) {
    INFO(family << " " << name);
    const bool silent = name.ends_with("lora_A.weight");  // the ups are 0 in the first step
    if (silent || (family == "sdxl" && name.starts_with(last))) {
      CHECK(largest(name) == 0.0);
    } else if (attends_alone(family, name)) {
      ++alone;
      CHECK(largest(name) < 1e-6 * all);
    } else {
      CHECK(largest(name) > 0.0);
    }
  }
  CHECK(alone == (family == "sdxl" ? 0 : 2));
}

TEST_CASE("The artifact, applied to another session, is the trained model, with any alpha",
          "[dreambooth_lora][stage]") {
  const std::string family = GENERATE("sd15", "sdxl");
  Trained run(family, {{"rank", 2},
                       {"lora_alpha", 3.0},
                       {"train_text_encoder", true},
                       {"learn_token", true},
                       {"placeholder_token", "<x>"},
                       {"lora.learning_rate", 0.05}});
  run.make_steps(2);
  Session plain(run.base), applied(run.base);
  const auto artifact = run.artifact();
  CHECK(artifact.notes.at("instance_prompt") == "a photo of <x> man");
  apply_token(applied, artifact.tensors, "<x>", "test");
  apply_low_rank(applied, artifact.tensors, 1.0);
  const Tensor trained = answer(run.session, "a photo of <x> man");
  CHECK((answer(applied, "a photo of <x> man") - trained).abs().max().item<float>() < 1e-5);
  CHECK((answer(plain, "a photo of man") - answer(run.session, "a photo of man")).abs().max().item<float>() > 1e-3);
}

TEST_CASE("The files are a LoRA and a token that the framework's readers know", "[dreambooth_lora][files]") {
  const std::string family = GENERATE("sd15", "sdxl");
  Trained run(family, {{"rank", 2},
                       {"train_text_encoder", true},
                       {"learn_token", true},
                       {"placeholder_token", "<x>"},
                       {"target_modules", "attn2.to_k, ff.net.2"}});
  run.make_steps(1);
  const auto artifact = run.artifact();
  const auto files = diffusers_files(artifact);
  REQUIRE(files.size() == 2);
  const TemporaryFolder folder;
  for (const auto& [name, content] : files) {
    write_safetensors(folder / name, content.tensors, {.metadata = content.metadata, .add_format = false});
  }
  Session session(run.base);
  const auto target = names_of(session);
  const Artifact lora = read_artifact(folder / "pytorch_lora_weights.safetensors", target);
  REQUIRE(lora.lora.has_value());
  std::size_t updates = 0;
  for (const auto& [name, tensor] : artifact.tensors) updates += name.ends_with("lora_A.weight") ? 1 : 0;
  CHECK(lora.lora->entries.size() == updates);
  for (const auto& entry : lora.lora->entries) {
    INFO(entry.module);
    CHECK(entry.alpha == 2.0);
    CHECK(at::equal(to_tensor(entry.down), artifact.tensors.at(entry.module + ".lora_A.weight")));
    CHECK(at::equal(to_tensor(entry.up), artifact.tensors.at(entry.module + ".lora_B.weight")));
  }
  const std::string token_file = family == "sdxl" ? "<x>.safetensors" : "learned_embeds.safetensors";
  const Artifact token = read_artifact(folder / token_file, target);
  REQUIRE(token.embeddings.size() == 1);
  CHECK(token.embeddings.front().token == "<x>");
  for (const auto& [tower, view] : token.embeddings.front().towers) {
    CHECK(at::equal(to_tensor(view).reshape(-1), artifact.tensors.at(token_parameter(tower, "<x>"))));
  }
  CHECK_THROWS_WITH(diffusers_files({.tensors = {}, .notes = {}}), Catch::Contains("without low-rank updates"));
}

TEST_CASE("Photos have the instance prompt, class images their own caption or the class prompt",
          "[dreambooth_lora][stage]") {
  const auto stage = make_lora_stage(settings_of({{"with_prior_preservation", true}, {"class_prompt", "one {}"}}));
  RandomDraws draws({});
  const auto caption = [&](const Photo& photo) {
    Sample sample;
    stage->describe(photo, sample, draws);
    return sample.caption;
  };
  CHECK(caption(photo("mine", false)) == "a photo of sks man");
  CHECK(caption(photo("", true)) == "one man");
  CHECK(caption(photo("two men", true)) == "two men");
  CHECK(stage->data().recipe.random_crop);
  CHECK(stage->data().recipe.transform.method == ResizeMethod::pil_lanczos);
  CHECK_FALSE(stage->data().drop_last);
}

TEST_CASE("Rates and decay of the text encoder are the UNet's unless they are given", "[dreambooth_lora][stage]") {
  Json chosen{{"train_text_encoder", true}, {"lora.scale_lr", true}, {"lora.train_batch_size", 3}};
  CHECK(settings_of(chosen).text.learning_rate == Approx(3e-4));
  CHECK(settings_of(chosen).text.weight_decay == 1e-2);
  chosen["lora.text_encoder_lr"] = 5e-6;
  chosen["lora.adam_weight_decay_text_encoder"] = 1e-3;
  CHECK(settings_of(chosen).text.learning_rate == 5e-6);
  CHECK(settings_of(chosen).unet.learning_rate == Approx(3e-4));
  CHECK(settings_of(chosen).text.weight_decay == 1e-3);
  CHECK_THROWS_WITH(settings_of({{"target_modules", " , "}}), Catch::Contains("target_modules"));
}
