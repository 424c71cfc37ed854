#pragma once

#include <vector>

#include "framework/training/flat_parameters.h"
#include "framework/training/recipe.h"

namespace atelier {

/// AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) over one flat buffer, in PyTorch's order:
///   p *= 1 - lr·wd;  m += (g - m)(1 - β1);  v = β2·v + (1 - β2)·g²;  p -= lr/(1 - β1ᵗ) · m / (√v/√(1 - β2ᵗ) + ε).
/// On the CPU a plain loop without fused multiplication, so that the bits depend neither on the number of threads nor
/// on the processor; elsewhere ATen's fused kernel.
class AdamW {
 public:
  /// Borrows the parameters.
  AdamW(const FlatParameters& parameters, const TrainSpec& spec);

  /// One update. learning_rates: one for each group, in the order of parameters.groups(). Where `skip` (a float
  /// scalar on the device) is 1 nothing is changed but the counter.
  void step(const std::vector<double>& learning_rates, const Tensor& skip);

  /// Updates made.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  [[nodiscard]] const Tensor& first_moment() const { return first_; }    ///< [T]
  [[nodiscard]] const Tensor& second_moment() const { return second_; }  ///< [T]
  void restore(std::int64_t steps, const Tensor& first, const Tensor& second);

 private:
  const FlatParameters& parameters_;
  double beta1_, beta2_, epsilon_;
  std::int64_t steps_ = 0;
  Tensor first_, second_;
};

}  // namespace atelier
