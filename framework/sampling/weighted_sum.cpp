#include "framework/sampling/weighted_sum.h"

#include <ATen/ops/empty.h>

#include <optional>

#include "framework/cuda/cuda_table.h"
#include "framework/tensor/cuda_libraries.h"

namespace atelier {
namespace {

std::optional<CudaTable::Element> element_of(at::ScalarType type) {
  if (type == at::kFloat) return CudaTable::Element::float32;
  if (type == at::kDouble) return CudaTable::Element::float64;
  if (type == at::kBFloat16) return CudaTable::Element::bfloat16;
  if (type == at::kHalf) return CudaTable::Element::float16;
  return std::nullopt;
}

/// Undefined where the kernel does not apply.
Tensor on_gpu(const Tensor& parts, const std::vector<double>& weights, std::int64_t rows) {
  const CudaTable* table = parts.is_cuda() ? cuda_table() : nullptr;
  const auto element = element_of(parts.scalar_type());
  if (table == nullptr || !element || weights.size() > kMaxParts) return {};
  const Tensor dense = parts.contiguous();
  auto shape = parts.sizes().vec();
  shape[0] = rows;
  Tensor out = at::empty(shape, dense.options());
  const bool done = table->weighted_sum(out.mutable_data_ptr(), dense.const_data_ptr(), weights.data(),
                                        static_cast<int>(weights.size()), out.numel(), *element, parts.get_device());
  return done ? out : Tensor();
}

}  // namespace

Tensor weighted_sum(const Tensor& parts, const std::vector<double>& weights) {
  const auto rows = parts.size(0) / static_cast<std::int64_t>(weights.size());
  if (Tensor sum = on_gpu(parts, weights, rows); sum.defined()) return sum;
  Tensor sum = parts.narrow(0, 0, rows) * weights.front();
  for (std::size_t i = 1; i < weights.size(); ++i) {
    sum.add_(parts.narrow(0, static_cast<std::int64_t>(i) * rows, rows), weights[i]);
  }
  return sum;
}

}  // namespace atelier
