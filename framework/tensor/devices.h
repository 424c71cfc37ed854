#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

namespace atelier {

/// Threads that one operator may use; all cores when empty.
void set_threads(std::optional<std::int64_t> threads);

/// float32 on a GPU is float32 (cuDNN's convolutions are allowed ten bits less by default), and its convolutions are
/// those that give the same bits every time. To be called before the first tensor, after open_cuda_libraries().
void use_exact_arithmetic();

/// Throws Error when the device cannot be used, saying why and what to do.
void require_device(c10::Device device);

/// Peak resident memory of this process in bytes.
[[nodiscard]] std::int64_t peak_memory();

}  // namespace atelier
