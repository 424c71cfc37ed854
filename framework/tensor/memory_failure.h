#pragma once

#include <exception>

namespace atelier {

/// Whether an exception says that memory ran out, on the device or on the host: LibTorch's own type, std::bad_alloc,
/// and what its allocator of host memory throws, which has a type of no meaning.
[[nodiscard]] bool is_out_of_memory(const std::exception& error);

}  // namespace atelier
