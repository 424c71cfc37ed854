#pragma once

namespace atelier {

/// As long as one lives, this thread computes everything by the kernels that gradients need. Then no weights are packed
/// (which would be a copy of them), and a pass without gradient gives the bits of one with: their difference is exact.
class GradientKernels {
 public:
  GradientKernels();
  ~GradientKernels();
  GradientKernels(const GradientKernels&) = delete;
  GradientKernels& operator=(const GradientKernels&) = delete;

  /// Whether one lives on this thread: asked wherever another kernel is chosen because no gradient is wanted.
  [[nodiscard]] static bool wanted();

 private:
  bool before_;
};

}  // namespace atelier
