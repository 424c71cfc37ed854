#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <memory>
#include <string>

#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/schedulers/noise_schedule.h"
#include "framework/tensor/random.h"
#include "framework/training/stage.h"

namespace atelier::tiny {

/// A tiny random pipeline: "sd15", "sd21" or "sdxl" of tests/parity/models.
inline std::shared_ptr<const Base> base(const std::string& family, c10::ScalarType dtype = c10::kFloat) {
  const auto checkpoint = std::make_shared<const Checkpoint>(
      Checkpoint::open(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/" + family));
  return std::make_shared<const Base>(checkpoint, Placement{.device = c10::kCPU, .dtype = dtype});
}

inline Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = make_generator(seed);
  return randn(shape, generator);
}

/// A batch of `rows` rows, the first `instance_rows` of the concept.
inline Batch batch(const Base& base, std::int64_t rows, std::int64_t instance_rows) {
  const auto training = read_training_noise(base.checkpoint().scheduler_config());
  Batch batch;
  batch.latents = random({rows, 4, 8, 8}, 1);
  batch.noise = random({rows, 4, 8, 8}, 2);
  batch.timesteps = at::arange(rows) * 211 + 17;
  batch.noisy_latents =
      training.schedule.add_noise(batch.latents, batch.noise, batch.timesteps).to(base.placement().dtype);
  const bool v = training.prediction_type == PredictionType::v_prediction;
  batch.target = v ? training.schedule.velocity(batch.latents, batch.noise, batch.timesteps) : batch.noise;
  if (base.is_sdxl()) batch.time_ids = at::tensor({64.0f, 64.0f, 0.0f, 0.0f, 64.0f, 64.0f}).repeat({rows, 1});
  batch.instance_rows = instance_rows;
  return batch;
}

/// Rows begin … begin + count - 1 of a batch and of its tensors.
inline Batch piece(const Batch& whole, std::int64_t begin, std::int64_t count) {
  const auto cut = [&](const Tensor& x) { return x.defined() ? x.narrow(0, begin, count) : x; };
  Batch part;
  part.latents = cut(whole.latents);
  part.noise = cut(whole.noise);
  part.timesteps = cut(whole.timesteps);
  part.noisy_latents = cut(whole.noisy_latents);
  part.target = cut(whole.target);
  part.time_ids = cut(whole.time_ids);
  part.instance_rows = std::min(std::max<std::int64_t>(whole.instance_rows - begin, 0), count);
  return part;
}

inline StepTensors piece(const StepTensors& whole, std::int64_t begin, std::int64_t count) {
  StepTensors part{.rows = {}, .shared = whole.shared};
  for (const auto& [name, tensor] : whole.rows) part.rows[name] = tensor.narrow(0, begin, count);
  return part;
}

/// What the loop does with the terms of a batch that is computed at once.
inline Tensor loss_of(const Stage& stage, const Terms& terms, Reduced& reduced) {
  std::map<std::string, double> weights;
  for (const auto& [name, term] : terms) {
    reduced[name] = term.reduce == Term::Reduce::sum ? term.per_sample.sum() : term.per_sample.mean();
    weights[name] = term.weight;
  }
  return stage.combine(reduced, weights);
}

/// Keeps what a stage publishes.
class Kept final : public ArtifactWriter {
 public:
  void tensor(const std::string& name, const Tensor& value) override { tensors[name] = value.detach().clone(); }
  void aux(const std::string& name, const Tensor& value) override { aux_tensors[name] = value.detach().clone(); }
  void note(const std::string& key, const std::string& value) override { notes[key] = value; }

  TensorMap tensors, aux_tensors;
  std::map<std::string, std::string> notes;
};

}  // namespace atelier::tiny
