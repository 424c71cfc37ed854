#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "framework/tensor/placement.h"
#include "framework/training/flat_parameters.h"

namespace atelier {

/// A whole network that learns: its float32 parameters side by side in one buffer, and, where activations are of
/// another type, a copy of that buffer in this type which the network reads. One conversion of the whole buffer
/// replaces one a layer and call; values and gradients are the same.
///
/// Kernels lie channels-last in both, as convolutions take them. Scalars (a logit scale) and the parameters in `wide`
/// stay float32.
class LearnedNetwork {
 public:
  /// Puts new tensors into the slots. The slots' owner must outlive this object, and calls to it that need a gradient
  /// must happen between zero_gradients() and collect_gradients().
  LearnedNetwork(const std::map<std::string, Tensor*>& slots, const std::set<std::string>& wide,
                 const Placement& placement, double weight_decay);
  LearnedNetwork(const LearnedNetwork&) = delete;
  LearnedNetwork& operator=(const LearnedNetwork&) = delete;

  [[nodiscard]] const FlatParameters& parameters() const { return *parameters_; }
  /// After the backward pass: the gradients are in parameters().gradients().
  void collect_gradients();
  /// After the optimizer, and after values were put in place: the network sees them.
  void values_changed();
  void zero_gradients();

  /// The parameters in a buffer that is laid out as parameters().values(), as dense tensors of their own shapes.
  [[nodiscard]] TensorMap named(const Tensor& buffer) const;

 private:
  void make_copies(const std::map<std::string, Tensor*>& slots, const std::set<std::string>& wide,
                   c10::ScalarType type);

  std::unique_ptr<FlatParameters> parameters_;
  Tensor copy_;                    // [T] in the activations' type; undefined where that is float32
  std::vector<Tensor> working_;    // the leaves that the network reads from it
  std::vector<Tensor> gradients_;  // where their gradients go: pieces of parameters().gradients()
};

}  // namespace atelier
