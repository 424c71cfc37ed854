#pragma once

#include "framework/models/adapters.h"
#include "framework/models/scope.h"

namespace atelier {

/// 2-D convolution, W [out, in, k, k], channels-last in and out.
class Conv2d {
 public:
  struct Geometry {
    std::int64_t kernel = 3;
    std::int64_t stride = 1;
    std::int64_t padding = 1;
  };

  Conv2d(const Scope& scope, std::int64_t in, std::int64_t out, Geometry geometry, bool bias = true);
  Conv2d(const Conv2d&) = delete;
  Conv2d& operator=(const Conv2d&) = delete;

  /// x [B, in, H, W] -> [B, out, H', W'].
  [[nodiscard]] Tensor forward(const Tensor& x, const AdapterCall* call = nullptr) const;

  Tensor weight;
  Tensor bias;  ///< undefined when the layer has none
  std::vector<LowRank> adapters;

 private:
  [[nodiscard]] Tensor convolve(const Tensor& x) const;

  Geometry geometry_;
  // The weight in oneDNN's blocked layout, made at the first call that needs no gradient; plain weights are reordered
  // at every call (measured: a third of an SD 1.5 UNet call).
  mutable Tensor packed_;
  mutable Tensor packed_from_;
};

}  // namespace atelier
