#include "framework/models/activations.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <fmt/format.h>

#include "framework/core/error.h"

namespace atelier {

Activation parse_activation(std::string_view name, std::string_view where) {
  if (name == "silu" || name == "swish") return Activation::silu;
  if (name == "gelu") return Activation::gelu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::gelu_tanh;
  if (name == "quick_gelu") return Activation::quick_gelu;
  if (name == "relu") return Activation::relu;
  if (name == "mish") return Activation::mish;
  throw Error({.where = std::string(where),
               .found = fmt::format("activation \"{}\"", name),
               .expected = "silu, gelu, gelu_pytorch_tanh, quick_gelu, relu or mish"});
}

Tensor activate(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::silu:
      return at::silu(x);
    case Activation::gelu:
      return at::gelu(x);
    case Activation::gelu_tanh:
      return at::gelu(x, "tanh");
    case Activation::quick_gelu:
      return x * at::sigmoid(1.702 * x);
    case Activation::relu:
      return at::relu(x);
    case Activation::mish:
      return at::mish(x);
  }
  return x;
}

}  // namespace atelier
