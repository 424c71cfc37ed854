#pragma once

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <memory>

#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/models/unet.h"
#include "framework/tensor/random.h"
#include "framework/training/trainer.h"
#include "plugins/dco/settings.h"
#include "plugins/dco/spec.h"
#include "plugins/dco/stage.h"
#include "tests/support/catch_torch.h"

namespace dco_world {

using namespace atelier;

/// A tiny model with random weights: sd15, sd21 or sdxl.
inline std::shared_ptr<const Base> tiny_base(const std::string& family, c10::ScalarType type = c10::kFloat) {
  return std::make_shared<const Base>(
      std::make_shared<const Checkpoint>(Checkpoint::open(ATELIER_SOURCE_DIR "/tests/parity/models/" + family)),
      Placement{.device = c10::kCPU, .dtype = type});
}

inline Tensor random_tensor(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = make_generator(seed);
  return randn(shape, generator);
}

inline Json resolved(Json chosen = Json::object(), const std::string& preset = "") {
  if (!chosen.contains("rank")) chosen["rank"] = 2;
  return resolve_options(dco::make_spec(), preset, chosen, "test");
}

inline dco::Settings settings_for(const std::string& stage, const Json& values, const std::string& word = "man") {
  const auto spec = dco::make_spec();
  const auto reads = stage_reads(spec.stages.at(stage == "subject" ? 0 : 1), values);
  return dco::Settings::read(stage, Options(values, {reads.begin(), reads.end()}, "test"),
                             {.name = "x", .class_word = word, .initializer = {}, .kind = "object"});
}

inline dco::Settings subject_settings(Json chosen = Json::object()) {
  return settings_for("subject", resolved(std::move(chosen)));
}

inline dco::Settings style_settings(Json chosen = Json::object()) {
  chosen["recipe"] = "style";
  return settings_for("style", resolved(std::move(chosen)), "flat cartoon");
}

/// One batch with texts as the stage itself describes them.
inline BatchInputs batch_for(Session& session, Stage& stage, std::int64_t step, std::int64_t rows = 1) {
  BatchInputs batch;
  batch.latents = random_tensor({rows, 4, 8, 8}, 100 + static_cast<std::uint64_t>(step));
  batch.noise = random_tensor({rows, 4, 8, 8}, 200 + static_cast<std::uint64_t>(step));
  batch.timesteps = at::full({rows}, 300 + step, at::kLong);
  if (session.base().is_sdxl()) batch.time_ids = at::tensor({64.0F, 64.0F, 0.0F, 0.0F, 64.0F, 64.0F}).expand({rows, 6});
  batch.instance_rows = rows;
  for (std::int64_t row = 0; row < rows; ++row) {
    RandomDraws draws({.seed = 1, .stage = 0, .step = step, .slot = row});
    stage.describe({.path = {}, .caption = "a photo of a {} on grass", .base_caption = {}},
                   batch.samples.emplace_back(), draws);
  }
  return batch;
}

/// A stage in its trainer.
struct Run {
  explicit Run(const std::shared_ptr<const Base>& base, std::unique_ptr<Stage> made, const Start& start = {})
      : session(base),
        stage(std::move(made)),
        initial({.seed = 0, .stage = 0, .step = -1, .slot = -1}),
        trainer(session, *stage, start, initial) {}

  StepResult step(std::int64_t number, std::int64_t rows = 1) {
    RandomDraws draws({.seed = 1, .stage = 0, .step = number, .slot = -1});
    return trainer.step(batch_for(session, *stage, number, rows), draws);
  }

  Session session;
  std::unique_ptr<Stage> stage;
  RandomDraws initial;
  Trainer trainer;
};

/// What a stage published.
struct Published final : ArtifactWriter {
  void tensor(const std::string& name, const Tensor& value) override { tensors[name] = value.detach().clone(); }
  void aux(const std::string&, const Tensor&) override {}
  void note(const std::string& key, const std::string& value) override { notes[key] = value; }
  TensorMap tensors;
  std::map<std::string, std::string> notes;
};

inline Published published(const Stage& stage) {
  Published writer;
  stage.save(writer);
  return writer;
}

/// Ups that are not zero, for every layer.
inline Start random_updates(Session& session, std::int64_t rank = 2) {
  TensorMap tensors;
  std::uint64_t seed = 1000;
  for (const auto& layer : dco::attention_layers(session)) {
    const auto shape = session.layer_shape(layer);
    tensors[layer + ".lora_A.weight"] = random_tensor({rank, shape[1]}, ++seed) * 0.5;
    tensors[layer + ".lora_B.weight"] = random_tensor({shape[0], rank}, ++seed) * 0.2;
  }
  return Start(std::move(tensors));
}

inline UNetInput unet_input(Session& session, const TextCondition& text, std::int64_t rows = 1) {
  UNetInput input{.sample = random_tensor({rows, 4, 8, 8}, 1),
                  .timesteps = at::full({rows}, 500, at::kLong),
                  .context = text.context.expand({rows, -1, -1}),
                  .text_embeds = {},
                  .time_ids = {}};
  if (!session.base().is_sdxl()) return input;
  input.text_embeds = text.pooled.expand({rows, -1});
  input.time_ids = at::tensor({64.0F, 64.0F, 0.0F, 0.0F, 64.0F, 64.0F}).expand({rows, 6});
  return input;
}

}  // namespace dco_world
