#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace atelier {

using at::Tensor;

/// Tensors by checkpoint name.
using TensorMap = std::map<std::string, Tensor>;

}  // namespace atelier
