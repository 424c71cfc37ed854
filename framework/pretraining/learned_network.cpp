#include "framework/pretraining/learned_network.h"

#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/zeros.h>

#include <utility>

namespace atelier {
namespace {

/// A float32 leaf of its own storage with the slot's value.
Tensor master_of(const Tensor& value) {
  const auto format = value.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  return value.detach().to(at::kFloat).clone(format).requires_grad_();
}

bool is_scalar(const Tensor& tensor) { return tensor.dim() == 0; }

/// Groups "matrices" (decayed), "vectors" and "scalars", in the buffer in this order.
std::vector<ParamGroup> make_groups(const std::map<std::string, Tensor*>& slots, double weight_decay) {
  std::vector<ParamGroup> groups{{.name = "matrices", .parameters = {}, .weight_decay = weight_decay},
                                 {.name = "vectors", .parameters = {}, .weight_decay = 0.0},
                                 {.name = "scalars", .parameters = {}, .weight_decay = 0.0}};
  for (const auto& [name, slot] : slots) {
    const std::size_t group = slot->dim() > 1 ? 0 : is_scalar(*slot) ? 2 : 1;
    groups[group].parameters.push_back({name, master_of(*slot)});
  }
  std::erase_if(groups, [](const ParamGroup& group) { return group.parameters.empty(); });
  return groups;
}

}  // namespace

LearnedNetwork::LearnedNetwork(const std::map<std::string, Tensor*>& slots, const std::set<std::string>& wide,
                               const Placement& placement, double weight_decay) {
  const at::NoGradGuard no_grad;
  parameters_ = std::make_unique<FlatParameters>(make_groups(slots, weight_decay));
  for (const auto& slot : parameters_->slots()) *slots.at(slot.parameter.name) = slot.parameter.tensor;
  if (placement.dtype != at::kFloat) make_copies(slots, wide, placement.dtype);
}

void LearnedNetwork::make_copies(const std::map<std::string, Tensor*>& slots, const std::set<std::string>& wide,
                                 c10::ScalarType type) {
  copy_ = at::zeros(parameters_->values().sizes(), parameters_->values().options().dtype(type));
  copy_.copy_(parameters_->values());
  for (const auto& slot : parameters_->slots()) {
    if (is_scalar(slot.parameter.tensor) || wide.contains(slot.parameter.name)) continue;
    working_.push_back(FlatParameters::view(copy_, slot).detach().requires_grad_());
    gradients_.push_back(FlatParameters::view(parameters_->gradients(), slot));
    *slots.at(slot.parameter.name) = working_.back();
  }
}

void LearnedNetwork::collect_gradients() {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> places, found;
  for (std::size_t i = 0; i < working_.size(); ++i) {
    Tensor& gradient = working_[i].mutable_grad();
    if (!gradient.defined()) continue;  // of no use in this loss: zero
    places.push_back(gradients_[i]);
    // Without one that is there already, autograd hands over the tensor it computed instead of adding to it.
    found.push_back(std::move(gradient));
    gradient = Tensor();
  }
  if (!found.empty()) at::_foreach_copy_(places, found);
}

void LearnedNetwork::values_changed() {
  if (!copy_.defined()) return;
  const at::NoGradGuard no_grad;
  copy_.copy_(parameters_->values());
}

void LearnedNetwork::zero_gradients() { parameters_->zero_gradients(); }

TensorMap LearnedNetwork::named(const Tensor& buffer) const {
  TensorMap tensors;
  for (const auto& slot : parameters_->slots()) {
    tensors.emplace(slot.parameter.name, FlatParameters::view(buffer, slot).contiguous());
  }
  return tensors;
}

}  // namespace atelier
