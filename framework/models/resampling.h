#pragma once

#include "framework/models/conv2d.h"

namespace atelier {

/// 3×3 convolution with stride 2. The UNet pads by one on every side; the VAE's encoder only right and bottom.
class Downsample {
 public:
  enum class Padding { symmetric, right_bottom };

  Downsample(const Scope& scope, std::int64_t channels, Padding padding);

  [[nodiscard]] Tensor forward(const Tensor& x, const AdapterCall* call) const;

 private:
  Padding padding_;
  Conv2d conv_;
};

/// Nearest neighbour ×2 (or to a given size), then a 3×3 convolution.
class Upsample {
 public:
  Upsample(const Scope& scope, std::int64_t channels);

  /// `size` {height, width}; empty: twice the input's.
  [[nodiscard]] Tensor forward(const Tensor& x, at::IntArrayRef size, const AdapterCall* call) const;

 private:
  Conv2d conv_;
};

}  // namespace atelier
