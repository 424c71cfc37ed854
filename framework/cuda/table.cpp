#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdio>

#include "framework/cuda/cuda_table.h"
#include "framework/cuda/weighted_sum.h"

namespace atelier::cuda {
namespace {

int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

void write_uuid(const cudaUUID_t& uuid, char (&text)[40]) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(uuid.bytes);
  char* at = text + std::snprintf(text, sizeof text, "GPU-");
  for (int i = 0; i < 16; ++i) {
    const bool dash = i == 4 || i == 6 || i == 8 || i == 10;
    at += std::snprintf(at, static_cast<std::size_t>(text + sizeof text - at), dash ? "-%02x" : "%02x", bytes[i]);
  }
}

bool device(int index, CudaTable::Device* out) {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) return false;
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
  std::size_t free_bytes = 0, total_bytes = 0;
  if (cudaMemGetInfo(&free_bytes, &total_bytes) != cudaSuccess) return false;
  std::snprintf(out->name, sizeof out->name, "%s", properties.name);
  write_uuid(properties.uuid, out->uuid);
  out->total_bytes = total_bytes;
  out->free_bytes = free_bytes;
  out->major = properties.major;
  out->minor = properties.minor;
  return true;
}

bool synchronize(int index) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
  return cudaDeviceSynchronize() == cudaSuccess;
}

std::uint64_t peak_memory(int index) {
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(index));
  return static_cast<std::uint64_t>(stats.allocated_bytes[0].peak);  // [0]: all pools together
}

void reset_peak_memory(int index) {
  c10::cuda::CUDACachingAllocator::resetPeakStats(static_cast<c10::DeviceIndex>(index));
}

bool weighted_sum_on_stream(void* out, const void* parts, const double* weights, int count, std::int64_t elements,
                            CudaTable::Element type, int index) {
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(index));
  const auto stream = c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(index));
  return weighted_sum(out, parts, weights, count, elements, type, stream) == cudaSuccess;
}

}  // namespace
}  // namespace atelier::cuda

extern "C" __attribute__((visibility("default"))) const atelier::CudaTable* atelier_cuda_table() {
  using namespace atelier::cuda;
  static constexpr atelier::CudaTable table{.version = atelier::CudaTable::kVersion,
                                            .device_count = device_count,
                                            .device = device,
                                            .synchronize = synchronize,
                                            .peak_memory = peak_memory,
                                            .reset_peak_memory = reset_peak_memory,
                                            .weighted_sum = weighted_sum_on_stream};
  return &table;
}
