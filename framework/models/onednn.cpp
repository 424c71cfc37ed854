#include "framework/models/onednn.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>

#include <array>
#include <optional>

#include "framework/models/gradient_kernels.h"

namespace atelier::onednn {
namespace {

using Scalars = c10::List<std::optional<c10::Scalar>>;
using OptionalText = std::optional<c10::string_view>;

bool wants_gradient(const Tensor& x, const Tensor& weight) {
  if (GradientKernels::wanted()) return true;
  return c10::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad());
}

std::optional<Tensor> optional(const Tensor& tensor) { return tensor.defined() ? std::optional(tensor) : std::nullopt; }

Tensor onednn_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  static const auto run = c10::Dispatcher::singleton()
                              .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                              .typed<Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&,
                                            c10::string_view, Scalars, OptionalText)>();
  return run.call(x, weight, optional(bias), "none", Scalars(), std::nullopt);
}

/// oneDNN refuses bfloat16 on older processors; ATen's own kernels are slow there, but they work.
bool packs_bfloat16(c10::ScalarType type) {
  static const bool supported =
      c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_is_mkldnn_bf16_supported", "").typed<bool()>().call();
  return supported && type == at::kBFloat16;
}

}  // namespace

bool packs(const Tensor& x, const Tensor& weight) {
  const auto type = x.scalar_type();
  return x.device().is_cpu() && weight.scalar_type() == type && (type == at::kFloat || packs_bfloat16(type)) &&
         !wants_gradient(x, weight) && !weight.requires_grad();  // what learns is changed in place: a pack goes stale
}

Tensor pack_conv2d(const Tensor& weight, at::IntArrayRef input_size, std::int64_t stride, std::int64_t padding) {
  static const auto pack = c10::Dispatcher::singleton()
                               .findSchemaOrThrow("mkldnn::_reorder_convolution_weight", "")
                               .typed<Tensor(const Tensor&, c10::IntArrayRef, c10::IntArrayRef, c10::IntArrayRef,
                                             std::int64_t, c10::OptionalArrayRef<std::int64_t>)>();
  const at::NoGradGuard no_grad;
  const std::array<std::int64_t, 2> strides{stride, stride}, paddings{padding, padding}, dilation{1, 1};
  // With the input size: packing is quicker without, but the layout it guesses then is slower than plain weights.
  return pack.call(weight.contiguous(), paddings, strides, dilation, 1, input_size);
}

Tensor conv2d(const Tensor& x, const Tensor& packed, const Tensor& bias, std::int64_t stride, std::int64_t padding) {
  static const auto run =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("mkldnn::_convolution_pointwise", "")
          .typed<Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, c10::IntArrayRef, c10::IntArrayRef,
                        c10::IntArrayRef, std::int64_t, c10::string_view, Scalars, OptionalText)>();
  const at::NoGradGuard no_grad;
  const std::array<std::int64_t, 2> strides{stride, stride}, paddings{padding, padding}, dilation{1, 1};
  return run.call(x, packed, optional(bias), paddings, strides, dilation, 1, "none", Scalars(), std::nullopt);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const auto type = x.scalar_type();
  if (x.device().is_cpu() && type == at::kFloat && weight.scalar_type() == type && !wants_gradient(x, weight)) {
    const at::NoGradGuard no_grad;
    return onednn_linear(x, weight, bias);
  }
  return at::linear(x, weight.to(type), bias.defined() ? bias.to(type) : bias);
}

}  // namespace atelier::onednn
