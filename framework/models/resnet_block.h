#pragma once

#include <optional>

#include "framework/models/activations.h"
#include "framework/models/conv2d.h"
#include "framework/models/linear.h"
#include "framework/models/norms.h"

namespace atelier {

/// Residual block of the UNet and the VAE: x + conv2(act(norm2(conv1(act(norm1(x))) + time))) (formats.md 6).
class ResnetBlock {
 public:
  struct Options {
    std::int64_t in = 0;
    std::int64_t out = 0;
    std::int64_t time_channels = 0;  ///< 0: no time embedding (VAE)
    std::int64_t groups = 32;
    double eps = 1e-5;
    Activation activation = Activation::silu;
    double output_scale = 1.0;  ///< divides the sum
  };

  ResnetBlock(const Scope& scope, const Options& options);

  /// x [B, in, H, W], time [B, time_channels] or undefined -> [B, out, H, W].
  [[nodiscard]] Tensor forward(const Tensor& x, const Tensor& time, const AdapterCall* call) const;

 private:
  Options options_;
  GroupNorm norm1_;
  Conv2d conv1_;
  std::optional<Linear> time_;
  GroupNorm norm2_;
  Conv2d conv2_;
  std::optional<Conv2d> shortcut_;
};

}  // namespace atelier
