#pragma once

#include <filesystem>

#include "framework/files/tensor_view.h"
#include "framework/tensor/placement.h"
#include "framework/tensor/tensor.h"

namespace atelier {

/// The tensor of a view. Shares the file's mapping where address and strides allow, else copies. The mapping is
/// read-only: such a tensor must never be written to.
[[nodiscard]] Tensor to_tensor(const TensorView& view);

/// to_tensor() moved to a device and, for floating point, to the compute type. A no-op where the file already fits.
[[nodiscard]] Tensor to_tensor(const TensorView& view, const Placement& placement);

/// The other way: a row-major view of the tensor's values on the CPU (a copy where they lie elsewhere), that keeps
/// them.
[[nodiscard]] TensorView to_view(const Tensor& tensor);

/// Tensors and metadata of one safetensors file, on the CPU.
struct NamedTensors {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
};

[[nodiscard]] NamedTensors read_named_tensors(const std::filesystem::path& path);
/// Atomic; tensors are made contiguous and moved to the CPU first.
void write_named_tensors(const std::filesystem::path& path, const NamedTensors& content);

}  // namespace atelier
