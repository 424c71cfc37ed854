#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "framework/config/options.h"
#include "framework/methods/stage_settings.h"
#include "framework/models/clip_text.h"
#include "framework/models/unet.h"
#include "framework/training/trainer.h"
#include "plugins/catversion/concat_stage.h"
#include "plugins/catversion/prefix.h"
#include "plugins/catversion/spec.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"

/// The tiny Stable Diffusion 1.5: a text encoder of three layers, four heads, width 32; its last two layers are used.
namespace catversion_world {

inline atelier::Json resolved(atelier::Json chosen, const std::string& preset = "") {
  if (!chosen.is_object()) chosen = atelier::Json::object();
  return atelier::resolve_options(atelier::catversion::make_spec(), preset, chosen, "test");
}

inline atelier::catversion::Settings settings(atelier::Json chosen, const std::string& class_word = "man") {
  using namespace atelier;
  if (!chosen.contains("layers")) chosen["layers"] = {1, 2};
  const auto spec = catversion::make_spec();
  return catversion::Settings::read(options_of_stage(spec, catversion::kStage, resolved(chosen)),
                                    {.name = "x", .class_word = class_word, .initializer = {}, .kind = "object"});
}

/// Notes and tensor as a trained artifact of the tiny model has them.
inline atelier::TrainedArtifact artifact(const atelier::catversion::PrefixForm& form, std::uint64_t seed = 5) {
  using namespace atelier;
  return {.tensors = {{catversion::kControlTrans, tiny::random({form.size()}, seed)}},
          .notes = catversion::notes_of(form),
          .step = 1000};
}

inline atelier::BatchInputs batch_for(atelier::Stage& stage, std::int64_t seed, std::int64_t rows = 2) {
  using namespace atelier;
  BatchInputs batch;
  batch.latents = tiny::random({rows, 4, 8, 8}, 100 + static_cast<std::uint64_t>(seed));
  batch.noise = tiny::random({rows, 4, 8, 8}, 200 + static_cast<std::uint64_t>(seed));
  batch.timesteps = at::arange(rows) * 311 + 57 + seed;
  batch.instance_rows = rows;
  for (std::int64_t row = 0; row < rows; ++row) {
    RandomDraws draws({.seed = 1, .stage = 0, .step = seed, .slot = row});
    stage.describe({}, batch.samples.emplace_back(), draws);
  }
  return batch;
}

}  // namespace catversion_world
