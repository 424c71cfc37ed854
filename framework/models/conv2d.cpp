#include "framework/models/conv2d.h"

#include <ATen/ops/conv2d.h>

#include "framework/models/onednn.h"

namespace atelier {

Conv2d::Conv2d(const Scope& scope, std::int64_t in, std::int64_t out, Geometry geometry, bool with_bias)
    : geometry_(geometry) {
  scope.parameter(weight, "weight", {out, in, geometry.kernel, geometry.kernel});
  if (with_bias) scope.parameter(bias, "bias", {out});
  scope.registry().convolutions.emplace(scope.name(), this);
}

Tensor Conv2d::convolve(const Tensor& x) const {
  // From the first call on, although that call pays more than it saves: packed and plain kernels differ in the last
  // bits, and a picture must not depend on whether it is the first of its process.
  if (!onednn::packs(x, weight)) {
    return at::conv2d(x, weight.to(x.scalar_type()), bias.defined() ? bias.to(x.scalar_type()) : bias, geometry_.stride,
                      geometry_.padding);
  }
  if (!packed_from_.is_same(weight)) {  // not packed yet, or the weight was replaced
    packed_ = onednn::pack_conv2d(weight, x.sizes(), geometry_.stride, geometry_.padding);
    packed_from_ = weight;
  }
  return onednn::conv2d(x, packed_, bias, geometry_.stride, geometry_.padding);
}

Tensor Conv2d::forward(const Tensor& x, const AdapterCall* call) const {
  Tensor y = convolve(x);
  if (call != nullptr && call->skip) return y;
  for (const LowRank& adapter : adapters) {
    const Tensor down = at::conv2d(x.to(adapter.a.scalar_type()), adapter.a, {}, geometry_.stride, geometry_.padding);
    Tensor addition = at::conv2d(down, adapter.b) * adapter.scale;
    if (call != nullptr && call->row_scale.defined()) {
      addition = addition * call->row_scale.view({-1, 1, 1, 1}).to(addition.scalar_type());
    }
    y = (y + addition).to(x.scalar_type());
  }
  return y;
}

}  // namespace atelier
