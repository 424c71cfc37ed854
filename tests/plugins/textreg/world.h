#pragma once

#include <ATen/ops/randn.h>

#include <memory>

#include "framework/config/options.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/models/unet.h"
#include "framework/tensor/random.h"
#include "framework/training/trainer.h"
#include "plugins/textreg/lora_stage.h"
#include "plugins/textreg/settings.h"
#include "plugins/textreg/spec.h"
#include "plugins/textreg/token_stage.h"
#include "tests/support/catch_torch.h"

/// A tiny Stable Diffusion with random weights: 16 transformer blocks, a text encoder of three layers, width 32.
inline std::shared_ptr<const atelier::Base> tiny_base() {
  using namespace atelier;
  static const auto base = std::make_shared<const Base>(
      std::make_shared<const Checkpoint>(Checkpoint::open(ATELIER_SOURCE_DIR "/tests/parity/models/sd15")),
      Placement{.device = c10::kCPU, .dtype = c10::kFloat});
  return base;
}

inline atelier::Tensor random_tensor(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = atelier::make_generator(seed);
  return atelier::randn(shape, generator);
}

/// Resolved options; the tiny token table needs another initializer.
inline atelier::Json resolved(atelier::Json chosen, const std::string& preset = "") {
  if (chosen.is_null()) chosen = atelier::Json::object();
  if (!chosen.contains("initializer_id") && !chosen.value("init_placeholder_as_class", false)) {
    chosen["initializer_id"] = 700;
  }
  return atelier::resolve_options(atelier::textreg::make_spec(), preset, chosen, "test");
}

inline const atelier::StageSpec& stage_spec(const atelier::MethodSpec& spec, const std::string& name) {
  return spec.stages.at(name == "ti" ? 0 : 1);
}

inline atelier::textreg::Settings settings_for(const std::string& stage, const atelier::Json& values,
                                               const std::string& class_word = "man") {
  using namespace atelier;
  const auto spec = textreg::make_spec();
  const auto reads = stage_reads(stage_spec(spec, stage), values);
  PromptLists lists;
  for (const auto& id : stage_spec(spec, stage).lists) lists[id] = {"a photo of a {}", "a {} in the snow"};
  return textreg::Settings::read(stage, Options(values, {reads.begin(), reads.end()}, "test"),
                                 {.name = "x", .class_word = class_word, .initializer = {}, .kind = "object"}, lists);
}

/// One batch with texts as the stage itself describes them.
inline atelier::BatchInputs batch_for(atelier::Stage& stage, std::int64_t step, std::int64_t rows = 1) {
  using namespace atelier;
  BatchInputs batch;
  batch.latents = random_tensor({rows, 4, 8, 8}, 100 + static_cast<std::uint64_t>(step));
  batch.noise = random_tensor({rows, 4, 8, 8}, 200 + static_cast<std::uint64_t>(step));
  batch.timesteps = at::full({rows}, 300 + step, at::kLong);
  batch.instance_rows = rows;
  for (std::int64_t row = 0; row < rows; ++row) {
    RandomDraws draws({.seed = 1, .stage = 0, .step = step, .slot = row});
    stage.describe({}, batch.samples.emplace_back(), draws);
  }
  return batch;
}

inline void make_steps(atelier::Trainer& trainer, atelier::Stage& stage, std::int64_t steps) {
  for (std::int64_t step = 0; step < steps; ++step) {
    atelier::RandomDraws draws({.seed = 1, .stage = 0, .step = step, .slot = -1});
    trainer.step(batch_for(stage, step), draws);
  }
}

/// What a stage published.
struct Published final : atelier::ArtifactWriter {
  void tensor(const std::string& name, const atelier::Tensor& value) override {
    tensors[name] = value.detach().clone();
  }
  void aux(const std::string& name, const atelier::Tensor& value) override { handed_on[name] = value.detach().clone(); }
  void note(const std::string& key, const std::string& value) override { notes[key] = value; }
  atelier::TensorMap tensors, handed_on;
  std::map<std::string, std::string> notes;
};

inline Published published(const atelier::Stage& stage) {
  Published writer;
  stage.save(writer);
  return writer;
}

inline constexpr const char* kToken = "text_encoder.token.<krk1>";
