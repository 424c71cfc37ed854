#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

namespace atelier {

/// Threads that one operator may use; all cores when empty.
void set_threads(std::optional<std::int64_t> threads);

/// Throws Error when the device cannot be used, saying why and what to do.
void require_device(c10::Device device);

/// Peak resident memory of this process in bytes.
[[nodiscard]] std::int64_t peak_memory();

}  // namespace atelier
