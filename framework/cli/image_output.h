#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "framework/files/tensor_view.h"

namespace atelier::cli {

/// A contiguous tensor in memory as a view for the safetensors writer. Borrows `values`.
[[nodiscard]] TensorView view_of(std::span<const float> values, std::vector<std::int64_t> shape);
[[nodiscard]] TensorView view_of(std::span<const std::uint8_t> values, std::vector<std::int64_t> shape);

/// Writes one tensor under one name. The file appears whole or not at all.
void write_tensor(const std::string& path, const std::string& name, const TensorView& tensor);

/// Refuses a key given twice and, when `keys` is not empty, every key outside of it; as a usage Error.
void check_image_settings(const std::vector<std::string>& settings, const std::vector<std::string>& keys);

}  // namespace atelier::cli
