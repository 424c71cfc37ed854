#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>
#include <c10/util/ArrayRef.h>

#include <string>
#include <string_view>

#include "framework/files/tensor_view.h"

namespace atelier {

/// Where tensors live and in which type they are computed. Chosen once, when a run is built.
struct Placement {
  c10::Device device = c10::kCPU;
  c10::ScalarType dtype = c10::kFloat;
};

/// "cpu", "cuda" or "cuda:1". Throws a usage Error for anything else.
[[nodiscard]] c10::Device parse_device(std::string_view text);
/// "float32", "bfloat16", "float16" or "float64". Throws a usage Error for anything else.
[[nodiscard]] c10::ScalarType parse_dtype(std::string_view text);

[[nodiscard]] c10::ScalarType scalar_type(Dtype dtype);
/// Throws Error for types that safetensors cannot hold.
[[nodiscard]] Dtype file_dtype(c10::ScalarType type);
[[nodiscard]] std::string describe(c10::IntArrayRef shape, c10::ScalarType type);

}  // namespace atelier
