#include "framework/models/resampling.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/upsample_nearest2d.h>

#include <array>

namespace atelier {

Downsample::Downsample(const Scope& scope, std::int64_t channels, Padding padding)
    : padding_(padding),
      conv_(scope / "conv", channels, channels,
            {.kernel = 3, .stride = 2, .padding = padding == Padding::symmetric ? 1 : 0}) {}

Tensor Downsample::forward(const Tensor& x, const AdapterCall* call) const {
  return conv_.forward(padding_ == Padding::symmetric ? x : at::constant_pad_nd(x, {0, 1, 0, 1}), call);
}

Upsample::Upsample(const Scope& scope, std::int64_t channels) : conv_(scope / "conv", channels, channels, {}) {}

Tensor Upsample::forward(const Tensor& x, at::IntArrayRef size, const AdapterCall* call) const {
  const std::array<std::int64_t, 2> doubled{2 * x.size(2), 2 * x.size(3)};
  return conv_.forward(at::upsample_nearest2d(x, size.empty() ? at::IntArrayRef(doubled) : size), call);
}

}  // namespace atelier
