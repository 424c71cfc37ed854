#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "framework/cuda/cuda_table.h"

namespace atelier::cuda {

/// See CudaTable::weighted_sum. All pointers are of the current device.
cudaError_t weighted_sum(void* out, const void* parts, const double* weights, int count, std::int64_t elements,
                         CudaTable::Element type, cudaStream_t stream);

}  // namespace atelier::cuda
