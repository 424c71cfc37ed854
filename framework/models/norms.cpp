#include "framework/models/norms.h"

#include <ATen/ops/group_norm.h>
#include <ATen/ops/layer_norm.h>

#include "framework/models/group_norm.h"

namespace atelier {

GroupNorm::GroupNorm(const Scope& scope, std::int64_t groups, std::int64_t channels, double eps)
    : groups_(groups), eps_(eps) {
  scope.parameter(weight, "weight", {channels});
  scope.parameter(bias, "bias", {channels});
}

Tensor GroupNorm::forward(const Tensor& x) const {
  if (group_norm::supports(x)) {
    return group_norm::normalise(x, groups_, weight.to(at::kFloat), bias.to(at::kFloat), eps_);
  }
  return at::group_norm(x, groups_, weight.to(x.scalar_type()), bias.to(x.scalar_type()), eps_);
}

LayerNorm::LayerNorm(const Scope& scope, std::int64_t width, double eps) : eps_(eps) {
  scope.parameter(weight, "weight", {width});
  scope.parameter(bias, "bias", {width});
}

Tensor LayerNorm::forward(const Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight.to(x.scalar_type()), bias.to(x.scalar_type()), eps_);
}

}  // namespace atelier
