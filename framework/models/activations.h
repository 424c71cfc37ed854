#pragma once

#include <string_view>

#include "framework/tensor/tensor.h"

namespace atelier {

enum class Activation { silu, gelu, gelu_tanh, quick_gelu, relu, mish };

/// By the name that configs use: silu or swish, gelu, gelu_pytorch_tanh or gelu_new, quick_gelu, relu, mish. Throws
/// Error naming `where` for any other.
[[nodiscard]] Activation parse_activation(std::string_view name, std::string_view where);
[[nodiscard]] Tensor activate(const Tensor& x, Activation activation);

}  // namespace atelier
