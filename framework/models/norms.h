#pragma once

#include "framework/models/scope.h"

namespace atelier {

class GroupNorm {
 public:
  GroupNorm(const Scope& scope, std::int64_t groups, std::int64_t channels, double eps);
  GroupNorm(const GroupNorm&) = delete;
  GroupNorm& operator=(const GroupNorm&) = delete;

  /// x [B, C, …]; statistics in float32 for half types.
  [[nodiscard]] Tensor forward(const Tensor& x) const;

  Tensor weight, bias;  ///< [C]

 private:
  std::int64_t groups_;
  double eps_;
};

class LayerNorm {
 public:
  LayerNorm(const Scope& scope, std::int64_t width, double eps);
  LayerNorm(const LayerNorm&) = delete;
  LayerNorm& operator=(const LayerNorm&) = delete;

  /// Over the last axis.
  [[nodiscard]] Tensor forward(const Tensor& x) const;

  Tensor weight, bias;  ///< [width]

 private:
  double eps_;
};

}  // namespace atelier
