#pragma once

#include "framework/models/adapters.h"
#include "framework/models/scope.h"

namespace atelier {

/// y = x Wᵀ + b over the last axis; W [out, in].
class Linear {
 public:
  Linear(const Scope& scope, std::int64_t in, std::int64_t out, bool bias = true);
  Linear(const Linear&) = delete;
  Linear& operator=(const Linear&) = delete;

  /// x [..., in] -> [..., out]. `call` may be null.
  [[nodiscard]] Tensor forward(const Tensor& x, const AdapterCall* call = nullptr) const;
  /// Only what the adapters add, without row scale: sum of scale · B (A x), in the adapters' type (TextReg's ΔW·H).
  [[nodiscard]] Tensor delta(const Tensor& x) const;

  Tensor weight;
  Tensor bias;  ///< undefined when the layer has none
  std::vector<LowRank> adapters;
};

}  // namespace atelier
