#include "framework/models/linear.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

#include "framework/models/onednn.h"

namespace atelier {
namespace {

/// [B] -> [B, 1, …] with the rank of x.
Tensor over_rows(const Tensor& row_scale, const Tensor& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  return row_scale.view(shape);
}

Tensor low_rank(const LowRank& adapter, const Tensor& x) {
  return at::linear(at::linear(x.to(adapter.a.scalar_type()), adapter.a), adapter.b) * adapter.scale;
}

}  // namespace

Linear::Linear(const Scope& scope, std::int64_t in, std::int64_t out, bool with_bias) {
  scope.parameter(weight, "weight", {out, in});
  if (with_bias) scope.parameter(bias, "bias", {out});
  scope.registry().linears.emplace(scope.name(), this);
}

Tensor Linear::forward(const Tensor& x, const AdapterCall* call) const {
  Tensor y = onednn::linear(x, weight, bias);
  if (call != nullptr && call->skip) return y;
  for (const LowRank& adapter : adapters) {
    Tensor addition = low_rank(adapter, x);
    if (call != nullptr && call->row_scale.defined()) {
      addition = addition * over_rows(call->row_scale, addition).to(addition.scalar_type());
    }
    y = (y + addition).to(x.scalar_type());
  }
  return y;
}

Tensor Linear::delta(const Tensor& x) const {
  Tensor sum;
  for (const LowRank& adapter : adapters) {
    const Tensor addition = low_rank(adapter, x);
    sum = sum.defined() ? sum + addition : addition;
  }
  return sum.defined() ? sum : at::zeros({}, x.options());
}

}  // namespace atelier
