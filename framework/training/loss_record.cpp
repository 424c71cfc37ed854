#include "framework/training/loss_record.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <limits>

#include "framework/core/error.h"
#include "framework/tensor/placement.h"

namespace atelier {
namespace {

constexpr std::size_t kBlock = 64;

}  // namespace

void LossRecord::append(const StepResult& result) {
  const at::NoGradGuard no_grad;
  std::vector<std::string> names{"loss", "grad_norm"};
  std::vector<Tensor> values{result.loss.reshape({}).to(at::kFloat), result.grad_norm.reshape({}).to(at::kFloat)};
  for (const auto& [name, term] : result.terms) {
    names.push_back("term." + name);
    values.push_back(term.reshape({}).to(at::kFloat));
  }
  if (names != names_) flush();
  names_ = std::move(names);
  pending_.push_back(at::stack(values));
  ++steps_;
  if (pending_.size() >= kBlock) flush();
}

void LossRecord::flush() {
  if (pending_.empty()) return;
  const Tensor block = at::stack(pending_).to(at::kCPU).contiguous();  // [steps, columns]
  const auto* values = block.const_data_ptr<float>();
  const auto before = static_cast<std::size_t>(steps_) - pending_.size();
  for (std::size_t column = 0; column < names_.size(); ++column) {
    auto& series = series_[names_[column]];
    // A term that a stage did not have from the start.
    series.resize(before, std::numeric_limits<float>::quiet_NaN());
    for (std::size_t row = 0; row < pending_.size(); ++row) series.push_back(values[row * names_.size() + column]);
  }
  for (auto& [name, series] : series_) {
    series.resize(static_cast<std::size_t>(steps_), std::numeric_limits<float>::quiet_NaN());
  }
  pending_.clear();
}

TensorMap LossRecord::tensors() {
  flush();
  TensorMap tensors;
  for (const auto& [name, series] : series_) tensors.emplace(name, at::tensor(series, at::kFloat));
  return tensors;
}

void LossRecord::restore(std::int64_t steps, const TensorMap& tensors) {
  pending_.clear();
  series_.clear();
  for (const auto& [name, tensor] : tensors) {
    if (tensor.dim() != 1 || tensor.size(0) != steps || tensor.scalar_type() != at::kFloat) {
      throw Error({.where = "recorded series " + name,
                   .found = describe(tensor.sizes(), tensor.scalar_type()),
                   .expected = fmt::format("[{}] float32", steps),
                   .advice = "the snapshot is damaged: remove it"});
    }
    const Tensor dense = tensor.contiguous();
    const auto* values = dense.const_data_ptr<float>();
    series_[name].assign(values, values + steps);
  }
  steps_ = steps;
}

}  // namespace atelier
