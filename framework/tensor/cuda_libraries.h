#pragma once

#include <string>

namespace atelier {

struct CudaTable;

/// What open_cuda_libraries() found.
struct CudaLibraries {
  bool torch_cuda = false;    ///< libtorch_cuda is loaded
  bool atelier_cuda = false;  ///< our own kernels and device queries are loaded
  std::string reason;         ///< why not, in words; empty when both are there
};

/// Opens libtorch_cuda and then atelier_cuda, where an NVIDIA driver is present. Must be the first act of main, before
/// any ATen call: LibTorch looks for its CUDA hooks once, and whoever asks before they are registered gets "no CUDA"
/// for the life of the process. Later calls return what the first one found.
const CudaLibraries& open_cuda_libraries();

/// The functions of atelier_cuda, or null where it is not loaded or of another version.
[[nodiscard]] const CudaTable* cuda_table();

}  // namespace atelier
