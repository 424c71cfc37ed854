#pragma once

#include <cstddef>
#include <cstdint>

namespace atelier {

/// What the rest of the program may ask of the GPU beyond ATen, as a table of plain functions: atelier_cuda is opened
/// at run time, so nothing links to it.
struct CudaTable {
  static constexpr int kVersion = 1;

  struct Device {
    char name[256];
    char uuid[40];  ///< "GPU-xxxxxxxx-…", as NVML writes it
    std::uint64_t total_bytes;
    std::uint64_t free_bytes;
    int major, minor;  ///< compute capability
  };

  enum class Element : int { float32, float64, bfloat16, float16 };

  int version;
  int (*device_count)();
  /// False when the device cannot be asked.
  bool (*device)(int index, Device* out);
  /// Waits for everything submitted to the device.
  bool (*synchronize)(int index);
  /// Largest number of bytes that LibTorch's allocator held at once since reset_peak_memory().
  std::uint64_t (*peak_memory)(int index);
  void (*reset_peak_memory)(int index);
  /// out[i] = sum over b of weights[b] * parts[b * elements + i], accumulated in float32 (float64 for float64), on the
  /// current stream: the weighted branches of a guided step in one pass. At most kMaxParts parts.
  bool (*weighted_sum)(void* out, const void* parts, const double* weights, int count, std::int64_t elements,
                       Element type, int index);
};

constexpr int kMaxParts = 8;

/// The one symbol of atelier_cuda.
constexpr const char* kCudaTableSymbol = "atelier_cuda_table";

}  // namespace atelier
