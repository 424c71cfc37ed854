#pragma once

#include <cstddef>
#include <cstdlib>

#include "framework/files/tensor_view.h"

/// Reads every byte that the views promise, so that a sanitizer sees a view that lies outside its file.
inline void touch(const atelier::TensorFile& file) {
  unsigned sum = 0;
  for (const auto& [name, view] : file.tensors) {
    for (const std::byte byte : view.bytes) sum += std::to_integer<unsigned>(byte);
    const auto size = static_cast<std::int64_t>(atelier::dtype_size(view.dtype));
    std::int64_t span = 1;  // elements that the strides reach
    for (std::size_t i = 0; i < view.strides.size(); ++i) span += (view.shape[i] - 1) * view.strides[i];
    if (view.strides.empty()) span = view.numel();
    if (static_cast<std::int64_t>(view.bytes.size()) != span * size) std::abort();
  }
  static volatile unsigned sink;
  sink = sum;
}
