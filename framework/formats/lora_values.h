#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "framework/files/tensor_view.h"

namespace atelier {

/// The little arithmetic that reading and writing personalization files needs, without a tensor library.

/// The contents of a safetensors file, ready for write_safetensors.
struct TensorSet {
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;
};

/// Whether elements are real numbers that a weight may have: F16, BF16, F32, F64.
[[nodiscard]] bool is_floating(Dtype dtype);

/// All elements in row-major order, whatever the strides. Throws Error (`where`) for a dtype that is not floating.
[[nodiscard]] std::vector<double> values_of(const TensorView& view, const std::string& where);

/// The one element of a scalar ([] or one element), floating or integer. Throws Error (`where`) for anything else.
[[nodiscard]] double scalar_of(const TensorView& view, const std::string& where);

/// A new row-major tensor; values are rounded to nearest, ties to even. `dtype` must be floating.
[[nodiscard]] TensorView make_view(const std::vector<double>& values, std::vector<std::int64_t> shape, Dtype dtype);

/// The same tensor without strides: itself, or a row-major copy.
[[nodiscard]] TensorView contiguous(const TensorView& view);

/// The same elements under another shape with as many of them; for contiguous tensors.
[[nodiscard]] TensorView reshaped(TensorView view, std::vector<std::int64_t> shape);

}  // namespace atelier
