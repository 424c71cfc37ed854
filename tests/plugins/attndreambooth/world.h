#pragma once

#include <map>
#include <memory>
#include <string>

#include "framework/methods/stage_settings.h"
#include "framework/models/clip_text.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"
#include "framework/training/trainer.h"
#include "plugins/attndreambooth/captions.h"
#include "plugins/attndreambooth/regularizer.h"
#include "plugins/attndreambooth/spec.h"
#include "plugins/attndreambooth/stage.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"

/// A stage of the method in its trainer, on a tiny random model.
namespace attn_world {

using namespace atelier;

inline constexpr const char* kToken = "text_encoder.token.new_concept_v0";

inline Json resolved(const Json& chosen = Json::object(), const std::string& preset = "") {
  return resolve_options(attndreambooth::make_spec(), preset, chosen, "test");
}

inline attndreambooth::Settings settings_for(const std::string& stage, const Json& chosen = Json::object(),
                                             const std::string& preset = "", const std::string& class_word = "man") {
  const Concept subject{.name = "x", .class_word = class_word, .initializer = {}, .kind = "object"};
  return attndreambooth::Settings::read(
      stage, options_of_stage(attndreambooth::make_spec(), stage, resolved(chosen, preset)), subject);
}

/// `rows` rows of step `step`, the class's behind the concept's, described by the stage itself.
inline BatchInputs batch_for(Stage& stage, std::int64_t step, std::int64_t rows = 2, std::int64_t of_class = 0) {
  const auto seed = static_cast<std::uint64_t>(step);
  BatchInputs batch;
  batch.latents = tiny::random({rows, 4, 8, 8}, 100 + seed);
  batch.noise = tiny::random({rows, 4, 8, 8}, 200 + seed);
  batch.timesteps = (at::arange(rows) * 211 + 17 + step) % 1000;
  batch.instance_rows = rows - of_class;
  for (std::int64_t row = 0; row < rows; ++row) {
    RandomDraws draws({.seed = 1, .stage = 0, .step = step, .slot = row});
    Photo photo;
    photo.of_class = row >= batch.instance_rows;
    stage.describe(photo, batch.samples.emplace_back(), draws);
  }
  return batch;
}

struct Run {
  explicit Run(attndreambooth::Settings settings, const Start& start = {}, const std::string& family = "sd15")
      : base(tiny::base(family)),
        session(base),
        stage(attndreambooth::make_stage(std::move(settings))),
        initial({.seed = 0, .stage = 0, .step = -1, .slot = -1}),
        trainer(session, *stage, start, initial) {}

  void steps(std::int64_t count, std::int64_t rows = 2) {
    for (std::int64_t step = 0; step < count; ++step) {
      RandomDraws draws({.seed = 1, .stage = 0, .step = step, .slot = -1});
      trainer.step(batch_for(*stage, step, rows), draws);
    }
  }

  [[nodiscard]] TensorMap published() const {
    tiny::Kept kept;
    stage->save(kept);
    return kept.tensors;
  }

  /// Every parameter of the model, under its full name.
  [[nodiscard]] TensorMap weights() {
    TensorMap all;
    const auto add = [&](const std::string& component, const Registry& registry) {
      for (const auto& [name, slot] : registry.parameters) all[component + "." + name] = slot->detach().clone();
    };
    add("unet", session.unet().registry());
    add("vae", session.vae().registry());
    add("text_encoder", session.text(0).registry());
    return all;
  }

  /// The gradients of one step, as they reach the optimizer.
  [[nodiscard]] TensorMap gradients(const BatchInputs& batch) {
    TensorMap all;
    trainer.on_gradients([&](const FlatParameters& parameters) {
      for (const auto& slot : parameters.slots()) {
        all[slot.parameter.name] = FlatParameters::view(parameters.gradients(), slot).clone();
      }
    });
    RandomDraws draws({.seed = 1, .stage = 0, .step = 0, .slot = -1});
    result = trainer.step(batch, draws);
    trainer.on_gradients({});
    return all;
  }

  std::shared_ptr<const Base> base;
  Session session;
  std::unique_ptr<Stage> stage;
  RandomDraws initial;
  Trainer trainer;
  StepResult result;
};

}  // namespace attn_world
