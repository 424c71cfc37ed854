#pragma once

#include <map>
#include <string>
#include <string_view>

#include "framework/tensor/tensor.h"
#include "framework/tensor/weights.h"

namespace atelier {

class Linear;
class Conv2d;

/// Every parameter, and every layer that an adapter can be attached to, by its checkpoint name. The pointers lead into
/// the model that was built with it: the model owns the registry and everything in it, and never moves.
struct Registry {
  std::map<std::string, Tensor*> parameters;
  std::map<std::string, Linear*> linears;
  std::map<std::string, Conv2d*> convolutions;
};

/// The place in the checkpoint's name tree at which a part of a model is being built.
class Scope {
 public:
  Scope(Weights& weights, Registry& registry, std::string name = {})
      : weights_(&weights), registry_(&registry), name_(std::move(name)) {}

  [[nodiscard]] Scope operator/(std::string_view child) const;
  [[nodiscard]] Scope operator/(std::size_t index) const { return *this / std::to_string(index); }

  /// Takes `<name>.<leaf>` into the slot and registers the slot.
  void parameter(Tensor& slot, std::string_view leaf, at::IntArrayRef shape) const;

  [[nodiscard]] bool has(std::string_view leaf) const { return weights_->has(full(leaf)); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Weights& weights() const { return *weights_; }
  [[nodiscard]] Registry& registry() const { return *registry_; }

 private:
  [[nodiscard]] std::string full(std::string_view leaf) const;

  Weights* weights_;    // borrowed from whoever builds the model, for the time of building
  Registry* registry_;  // borrowed from the model
  std::string name_;
};

}  // namespace atelier
