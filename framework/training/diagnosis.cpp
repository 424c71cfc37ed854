#include "framework/training/diagnosis.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include "framework/tensor/placement.h"

namespace atelier {
namespace {

bool finite(const Tensor& tensor) { return !tensor.defined() || at::isfinite(tensor).all().item<bool>(); }

/// Rows whose values are not all finite: "1, 3".
std::string bad_rows(const Tensor& values) {
  std::string rows;
  for (std::int64_t i = 0; i < values.size(0); ++i) {
    if (!finite(values[i])) rows += fmt::format("{}{}", rows.empty() ? "" : ", ", i);
  }
  return rows;
}

}  // namespace

Error not_finite(const std::string& where, const std::string& what) {
  return Error({.where = where,
                .found = what + " is not finite",
                .expected = "finite numbers",
                .advice = "lower the learning rate, limit the gradient norm, or train in float32"});
}

void check_parameters(const FlatParameters& parameters, const std::string& where) {
  for (const auto& slot : parameters.slots()) {
    if (!finite(slot.parameter.tensor)) throw not_finite(where, "parameter " + slot.parameter.name);
  }
}

void check_gradients(const FlatParameters& parameters, const std::string& where) {
  for (const auto& slot : parameters.slots()) {
    if (parameters.groups()[slot.group].role == ParamGroup::Role::accumulated) continue;
    if (!finite(FlatParameters::view(parameters.gradients(), slot))) {
      throw not_finite(where, "the gradient of " + slot.parameter.name);
    }
  }
}

void check_terms(Stage& stage, const Loss& loss, const TrainingBatch& batch, const std::string& where) {
  const at::NoGradGuard no_grad;
  const Batch whole = loss.make_batch(batch.inputs);
  const StepTensors tensors = loss.prepare(batch.inputs, *batch.draws);
  const std::map<std::string, const Tensor*> inputs{{"latents", &whole.latents}, {"noise", &whole.noise}};
  for (const auto& [name, tensor] : inputs) {
    if (!finite(*tensor)) throw not_finite(where, fmt::format("{} in row {}", name, bad_rows(*tensor)));
  }
  for (const auto* map : {&tensors.rows, &tensors.shared}) {
    for (const auto& [name, tensor] : *map) {
      if (tensor.is_floating_point() && !finite(tensor)) throw not_finite(where, "the stage's tensor " + name);
    }
  }
  for (const auto& [name, term] : stage.forward(whole, tensors)) {
    if (!finite(term.per_sample)) {
      throw not_finite(where, fmt::format("loss term {} in row {}", name, bad_rows(term.per_sample)));
    }
  }
}

TensorMap state_checked(TensorMap own, const TensorMap& given) {
  const auto fail = [](const std::string& name, std::string found, std::string expected) {
    throw Error({.where = "snapshot tensor " + name,
                 .found = std::move(found),
                 .expected = std::move(expected),
                 .advice = "the snapshot belongs to another stage: remove it"});
  };
  for (const auto& [name, tensor] : own) {
    const auto other = given.find(name);
    const std::string expected = describe(tensor.sizes(), tensor.scalar_type());
    if (other == given.end()) fail(name, "none", expected);
    const std::string found = describe(other->second.sizes(), other->second.scalar_type());
    if (found != expected) fail(name, found, expected);
  }
  for (const auto& [name, tensor] : given) {
    if (!own.contains(name)) fail(name, describe(tensor.sizes(), tensor.scalar_type()), "no such tensor");
  }
  return own;
}

}  // namespace atelier
