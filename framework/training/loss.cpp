#include "framework/training/loss.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/training/term_reduction.h"

namespace atelier {
namespace {

RowCounts counts(const Batch& batch) { return {.all = batch.size(), .instance = batch.instance_rows}; }

Tensor rows_of(const Tensor& tensor, std::int64_t begin, std::int64_t count) {
  return tensor.defined() ? tensor.narrow(0, begin, count) : tensor;
}

Batch cut(const Batch& batch, std::int64_t begin, std::int64_t count) {
  return {.latents = rows_of(batch.latents, begin, count),
          .noise = rows_of(batch.noise, begin, count),
          .timesteps = rows_of(batch.timesteps, begin, count),
          .noisy_latents = rows_of(batch.noisy_latents, begin, count),
          .target = rows_of(batch.target, begin, count),
          .mask = rows_of(batch.mask, begin, count),
          .time_ids = rows_of(batch.time_ids, begin, count),
          .instance_rows = std::clamp<std::int64_t>(batch.instance_rows - begin, 0, count)};
}

void add(Reduced& sums, const Reduced& parts) {
  for (const auto& [name, value] : parts) {
    const auto [place, fresh] = sums.emplace(name, value.detach());
    if (!fresh) place->second = place->second + value.detach();
  }
}

Reduced detached(const Reduced& terms) {
  Reduced copy;
  for (const auto& [name, value] : terms) copy.emplace(name, value.detach());
  return copy;
}

void check(const BatchInputs& inputs) {
  const auto fits = [&](const Tensor& tensor) { return tensor.defined() && tensor.size(0) == inputs.size(); };
  if (inputs.latents.defined() && fits(inputs.noise) && fits(inputs.timesteps) &&
      static_cast<std::int64_t>(inputs.samples.size()) == inputs.size() && inputs.instance_rows <= inputs.size()) {
    return;
  }
  throw Error({.where = "training batch",
               .found = "latents, noise, timesteps and captions of different numbers of rows",
               .expected = "the same number of each"});
}

}  // namespace

Loss::Loss(Session& session, Stage& stage)
    : session_(session),
      stage_(stage),
      spec_(stage.train()),
      noise_(read_training_noise(session.base().checkpoint().scheduler_config())) {
  noise_.schedule = noise_.schedule.to(session.base().placement().device);
}

Batch Loss::make_batch(const BatchInputs& inputs) const {
  check(inputs);
  const at::NoGradGuard no_grad;
  const Placement& placement = session_.base().placement();
  const auto wide = placement.dtype == at::kDouble ? at::kDouble : at::kFloat;
  const auto place = [&](const Tensor& t) {
    return t.to(placement.device, wide).contiguous(at::MemoryFormat::ChannelsLast);
  };
  Batch batch;
  batch.latents = place(inputs.latents);
  batch.noise = place(inputs.noise);
  batch.timesteps = inputs.timesteps.to(placement.device);
  // As the published scripts: everything in the latents' type before the products.
  const auto type = spec_.cast_alphas ? placement.dtype : wide;
  const Tensor latents = batch.latents.to(type), noise = batch.noise.to(type);
  if (spec_.cast_alphas) batch.noise = noise.to(wide);
  batch.noisy_latents =
      noise_.schedule.add_noise(latents, noise, batch.timesteps, spec_.cast_alphas).to(placement.dtype);
  if (noise_.prediction_type == PredictionType::v_prediction) {
    batch.target = noise_.schedule.velocity(latents, noise, batch.timesteps, spec_.cast_alphas).to(wide);
  } else {
    batch.target = noise_.prediction_type == PredictionType::epsilon ? batch.noise : batch.latents;
  }
  if (inputs.mask.defined()) batch.mask = inputs.mask.to(placement.device, wide);
  if (inputs.time_ids.defined()) batch.time_ids = inputs.time_ids.to(placement.device, at::kFloat);
  batch.instance_rows = inputs.instance_rows;
  return batch;
}

StepTensors Loss::prepare(const BatchInputs& inputs, Draws& draws) const {
  const at::NoGradGuard no_grad;
  StepTensors tensors = stage_.per_step(inputs.samples, draws);
  const auto device = session_.base().placement().device;
  for (auto& [name, tensor] : tensors.shared) tensor = tensor.to(device);
  for (auto& [name, tensor] : tensors.rows) {
    if (tensor.dim() == 0 || tensor.size(0) != inputs.size()) {
      throw Error({.where = "step tensor " + name,
                   .found = describe(tensor.sizes(), tensor.scalar_type()),
                   .expected = fmt::format("{} rows", inputs.size())});
    }
    tensor = tensor.to(device);
  }
  return tensors;
}

Loss::Piece Loss::whole(const BatchInputs& inputs, Draws& draws) const {
  return {.batch = make_batch(inputs), .tensors = prepare(inputs, draws)};
}

std::vector<Loss::Piece> Loss::split(const Piece& whole, std::int64_t micro_batch) const {
  const std::int64_t all = whole.batch.size();
  const std::int64_t rows = micro_batch > 0 ? std::min(micro_batch, all) : all;
  if (rows == all) return {whole};
  std::vector<Piece> pieces;
  for (std::int64_t begin = 0; begin < all; begin += rows) {
    const std::int64_t count = std::min(rows, all - begin);
    StepTensors tensors{.rows = {}, .shared = whole.tensors.shared};
    for (const auto& [name, tensor] : whole.tensors.rows) {
      tensors.rows.emplace(name, tensor.narrow(0, begin, count));
    }
    pieces.push_back({cut(whole.batch, begin, count), std::move(tensors)});
  }
  return pieces;
}

Loss::Part Loss::part(const Piece& piece, const Batch& whole) const {
  const Terms terms = stage_.forward(piece.batch, piece.tensors);
  return {.reduced = reduce_terms(terms, counts(piece.batch), counts(whole)), .weights = term_weights(terms)};
}

// One pass: the loss of the batch is the sum of the pieces' losses.
LossValue Loss::linear(const std::vector<Piece>& pieces, const Batch& whole) const {
  LossValue value;
  for (const Piece& piece : pieces) {
    Part own = part(piece, whole);
    const Tensor loss = stage_.combine(own.reduced, own.weights);
    (loss / spec_.loss_divisor).backward();
    value.loss = value.loss.defined() ? value.loss + loss.detach() : loss.detach();
    add(value.terms, own.reduced);
    value.weights = std::move(own.weights);
  }
  return value;
}

// A first pass without gradient gives the terms of the whole batch, and with them d loss / d term; the second one sends
// that back through each piece.
LossValue Loss::two_passes(const std::vector<Piece>& pieces, const Batch& whole) const {
  LossValue value;
  Reduced sums;
  {
    const at::NoGradGuard no_grad;
    for (const Piece& piece : pieces) {
      Part own = part(piece, whole);
      add(sums, own.reduced);
      value.weights = std::move(own.weights);
    }
  }
  std::vector<Tensor> leaves;
  for (auto& [name, sum] : sums) leaves.push_back(sum = sum.detach().requires_grad_());
  value.terms = sums;
  const Tensor loss = stage_.combine(value.terms, value.weights);
  const auto slopes = torch::autograd::grad({loss / spec_.loss_divisor}, leaves, /*grad_outputs=*/{},
                                            /*retain_graph=*/std::nullopt, /*create_graph=*/false,
                                            /*allow_unused=*/true);
  for (const Piece& piece : pieces) {
    const Part own = part(piece, whole);
    Tensor weighted;
    std::size_t i = 0;
    for (const auto& [name, sum] : sums) {
      const Tensor& slope = slopes[i++];
      if (!slope.defined() || !own.reduced.at(name).requires_grad()) continue;
      const Tensor term = own.reduced.at(name) * slope;
      weighted = weighted.defined() ? weighted + term : term;
    }
    if (weighted.defined()) weighted.backward();
  }
  value.loss = loss.detach();
  value.terms = detached(value.terms);
  return value;
}

LossValue Loss::backward(const BatchInputs& inputs, Draws& draws, std::int64_t micro_batch) const {
  const at::AutoGradMode with_grad(true);
  const Piece all = whole(inputs, draws);
  const auto pieces = split(all, micro_batch);
  if (stage_.linear()) return linear(pieces, all.batch);
  if (pieces.size() > 1) return two_passes(pieces, all.batch);
  Part own = part(pieces.front(), all.batch);
  const Tensor loss = stage_.combine(own.reduced, own.weights);
  (loss / spec_.loss_divisor).backward();
  return {.loss = loss.detach(), .terms = detached(own.reduced), .weights = std::move(own.weights)};
}

LossValue Loss::evaluate(const BatchInputs& inputs, Draws& draws) const {
  const at::NoGradGuard no_grad;
  const Piece all = whole(inputs, draws);
  Part own = part(all, all.batch);
  const Tensor loss = stage_.combine(own.reduced, own.weights);
  return {.loss = loss, .terms = std::move(own.reduced), .weights = std::move(own.weights)};
}

}  // namespace atelier
