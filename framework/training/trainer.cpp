#include "framework/training/trainer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/where.h>
#include <c10/core/Allocator.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/tensor/memory_failure.h"
#include "framework/training/diagnosis.h"
#include "framework/training/gradient_norm.h"

namespace atelier {
namespace {

bool has_accumulated(const FlatParameters& parameters) {
  for (const auto& group : parameters.groups()) {
    if (group.role == ParamGroup::Role::accumulated && !group.parameters.empty()) return true;
  }
  return false;
}

void add_mean(StepResult& result, LossValue value, double share) {
  const auto add = [&](Tensor& sum, const Tensor& part) {
    const Tensor own = share == 1.0 ? part : part * share;
    sum = sum.defined() ? sum + own : own;
  };
  add(result.loss, value.loss);
  for (auto& [name, term] : value.terms) add(result.terms[name], term);
  result.weights = std::move(value.weights);
}

}  // namespace

Trainer::Trainer(Session& session, Stage& stage, const Start& start, Draws& initial)
    : session_(session),
      stage_(stage),
      spec_(stage.train()),
      loss_(session, stage),
      parameters_(stage.attach(session, start, initial)),
      optimizer_(parameters_, spec_),
      schedule_(spec_),
      base_rates_(parameters_.groups().size()),
      micro_batch_(spec_.micro_batch),
      first_bad_step_(at::full({}, -1, at::TensorOptions().dtype(at::kLong).device(parameters_.values().device()))) {
  for (std::size_t i = 0; i < base_rates_.size(); ++i) {
    base_rates_[parameters_.source(i)] = parameters_.groups()[i].learning_rate;
  }
  session_.recompute_activations(spec_.recompute_activations);
  carry_in(start);
}

void Trainer::carry_in(const Start& start) {
  const at::NoGradGuard no_grad;
  for (const auto& slot : parameters_.slots()) {
    const Tensor carried = start.find("carry." + slot.parameter.name);
    if (!carried.defined()) continue;
    const Tensor place = FlatParameters::view(parameters_.gradients(), slot);
    if (carried.sizes() != place.sizes()) {
      throw Error({.where = "carry." + slot.parameter.name,
                   .found = describe(carried.sizes(), carried.scalar_type()),
                   .expected = describe(place.sizes(), place.scalar_type())});
    }
    place.copy_(carried);
    carried_ = true;
  }
}

std::vector<double> Trainer::learning_rates(std::int64_t step) const {
  std::vector<double> rates = base_rates_;
  const double factor = schedule_.factor(step, base_rates_.front());
  for (double& rate : rates) rate *= factor;
  return rates;
}

std::vector<double> Trainer::in_buffer_order(const std::vector<double>& rates) const {
  std::vector<double> ordered(rates.size());
  for (std::size_t i = 0; i < rates.size(); ++i) ordered[i] = rates[parameters_.source(i)];
  return ordered;
}

StepResult Trainer::accumulate(std::span<const TrainingBatch> batches) {
  StepResult result;
  const double share = 1.0 / static_cast<double>(batches.size());
  for (const auto& batch : batches) {
    add_mean(result, loss_.backward(batch.inputs, *batch.draws, micro_batch_), share);
  }
  return result;
}

// Gradients that were there before the step cannot be told from those of a half-done one: then the error goes up.
StepResult Trainer::accumulate_in_memory(std::span<const TrainingBatch> batches) {
  for (;;) {
    try {
      return accumulate(batches);
    } catch (const std::exception& error) {
      if (!is_out_of_memory(error)) throw;
      const std::int64_t rows = micro_batch_ > 0 ? micro_batch_ : batches.front().inputs.size();
      if (rows <= 1 || carried_ || has_accumulated(parameters_)) throw;
      micro_batch_ = (rows + 1) / 2;
      parameters_.zero_gradients();
      if (split_hook_) split_hook_(micro_batch_);
    }
  }
}

void Trainer::note_finite(const StepResult& result) {
  const at::NoGradGuard no_grad;
  const Tensor finite = at::isfinite(result.loss).logical_and_(at::isfinite(result.grad_norm));
  first_bad_step_ = at::where(finite.logical_or(first_bad_step_ >= 0), first_bad_step_,
                              at::full({}, steps(), first_bad_step_.options()));
}

StepResult Trainer::step(std::span<const TrainingBatch> batches) {
  StepResult result = accumulate_in_memory(batches);
  carried_ = false;
  if (hook_) hook_(parameters_);
  const bool clipping = spec_.max_grad_norm > 0.0;
  result.grad_norm = gradient_norm(parameters_, clipping);
  if (clipping) clip_gradients_(parameters_, result.grad_norm, spec_.max_grad_norm);
  note_finite(result);
  const at::NoGradGuard no_grad;
  optimizer_.step(in_buffer_order(learning_rates(steps())), (first_bad_step_ >= 0).to(at::kFloat));
  parameters_.zero_gradients();
  stage_.after_step({.step = steps() - 1, .learning_rates = learning_rates(steps())});
  return result;
}

StepResult Trainer::step(const BatchInputs& inputs, Draws& draws) {
  const TrainingBatch batch{.inputs = inputs, .draws = &draws};
  return step(std::span(&batch, 1));
}

std::int64_t Trainer::first_bad_step() const { return first_bad_step_.item<std::int64_t>(); }

void Trainer::diagnose(std::span<const TrainingBatch> batches, const std::string& where) {
  check_parameters(parameters_, where);
  parameters_.zero_gradients();
  for (const auto& batch : batches) {
    check_terms(stage_, loss_, batch, where);
    (void)loss_.backward(batch.inputs, *batch.draws, micro_batch_);
    check_gradients(parameters_, where);
  }
  throw not_finite(where, "the norm of the gradients");
}

TensorMap Trainer::state() const {
  TensorMap state;
  for (const auto& slot : parameters_.slots()) {
    const std::string& name = slot.parameter.name;
    const bool accumulated = parameters_.groups()[slot.group].role == ParamGroup::Role::accumulated;
    if (accumulated) state["gradient." + name] = FlatParameters::view(parameters_.gradients(), slot);
    if (!parameters_.trained(slot)) continue;
    state["value." + name] = FlatParameters::view(parameters_.values(), slot);
    state["first." + name] = FlatParameters::view(optimizer_.first_moment(), slot);
    state["second." + name] = FlatParameters::view(optimizer_.second_moment(), slot);
  }
  return state;
}

void Trainer::restore(std::int64_t steps, const TensorMap& state) {
  const at::NoGradGuard no_grad;
  const TensorMap own = state_checked(this->state(), state);
  for (const auto& [name, tensor] : own) tensor.copy_(state.at(name));
  optimizer_.restore(steps, optimizer_.first_moment(), optimizer_.second_moment());
  parameters_.zero_gradients();  // what was carried in went into the first step
  carried_ = false;
}

}  // namespace atelier
