#pragma once

#include <string>
#include <vector>

#include "framework/tensor/tensor_io.h"

namespace atelier::worker {

/// What a probe expects to find under one name.
struct Expected {
  std::string name;
  std::string shape;  ///< in words, for errors: "[B, 4, h, w]"
  std::int64_t rank = 0;
  bool integral = false;  ///< int64 wanted; otherwise a floating type (where `either`, any of the two)
  bool either = false;
  bool optional = false;
};

/// Reads a probe's input and checks that it holds exactly the expected tensors (optional ones may be absent), of the
/// right rank and kind. Throws Error naming what was expected (name, shape, type).
[[nodiscard]] TensorMap read_inputs(const std::string& path, const std::vector<Expected>& expected);

/// Floating outputs in float32, or in float64 when the computation was.
[[nodiscard]] Tensor as_output(const Tensor& tensor);

}  // namespace atelier::worker
