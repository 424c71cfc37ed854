#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "framework/cuda/weighted_sum.h"

namespace atelier::cuda {
namespace {

template <typename Sum>
struct Weights {
  Sum values[kMaxParts];
};

template <typename Value, typename Sum>
__global__ void weighted_sum_kernel(Value* out, const Value* parts, Weights<Sum> weights, int count,
                                    std::int64_t elements) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements; i += stride) {
    Sum sum = 0;
    for (int part = 0; part < count; ++part) {
      sum += weights.values[part] * static_cast<Sum>(parts[part * elements + i]);
    }
    out[i] = static_cast<Value>(sum);
  }
}

template <typename Value, typename Sum>
cudaError_t launch(void* out, const void* parts, const double* weights, int count, std::int64_t elements,
                   cudaStream_t stream) {
  Weights<Sum> table{};
  for (int i = 0; i < count; ++i) table.values[i] = static_cast<Sum>(weights[i]);
  constexpr int kThreads = 256;
  const std::int64_t blocks = (elements + kThreads - 1) / kThreads;
  weighted_sum_kernel<Value, Sum><<<static_cast<unsigned>(blocks < 1024 ? blocks : 1024), kThreads, 0, stream>>>(
      static_cast<Value*>(out), static_cast<const Value*>(parts), table, count, elements);
  return cudaGetLastError();
}

}  // namespace

cudaError_t weighted_sum(void* out, const void* parts, const double* weights, int count, std::int64_t elements,
                         CudaTable::Element type, cudaStream_t stream) {
  if (count < 1 || count > kMaxParts || elements < 1) return cudaErrorInvalidValue;
  switch (type) {
    case CudaTable::Element::float32:
      return launch<float, float>(out, parts, weights, count, elements, stream);
    case CudaTable::Element::float64:
      return launch<double, double>(out, parts, weights, count, elements, stream);
    case CudaTable::Element::bfloat16:
      return launch<__nv_bfloat16, float>(out, parts, weights, count, elements, stream);
    case CudaTable::Element::float16:
      return launch<__half, float>(out, parts, weights, count, elements, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace atelier::cuda
