#include "framework/models/scope.h"

namespace atelier {

Scope Scope::operator/(std::string_view child) const { return {*weights_, *registry_, full(child)}; }

void Scope::parameter(Tensor& slot, std::string_view leaf, at::IntArrayRef shape) const {
  slot = weights_->take(full(leaf), shape);
  registry_->parameters.emplace(full(leaf), &slot);
}

std::string Scope::full(std::string_view leaf) const {
  if (name_.empty()) return std::string(leaf);
  if (leaf.empty()) return name_;
  return name_ + "." + std::string(leaf);
}

}  // namespace atelier
