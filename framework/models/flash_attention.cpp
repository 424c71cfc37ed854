#include "framework/models/flash_attention.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <cmath>

#include "framework/models/flash_kernel.h"
#include "framework/models/gradient_kernels.h"

namespace atelier::flash {
namespace {

const std::uint16_t* data(const Tensor& x) { return static_cast<const std::uint16_t*>(x.const_data_ptr()); }

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

bool wants_gradient(const Tensor& q, const Tensor& k, const Tensor& v) {
  if (GradientKernels::wanted()) return true;
  return c10::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad());
}

}  // namespace

bool supports(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads) {
  static const bool cpu = cpu_supports_kernel();
  const std::int64_t width = q.size(2) / heads;
  return cpu && q.device().is_cpu() && q.scalar_type() == at::kBFloat16 && k.scalar_type() == at::kBFloat16 &&
         v.scalar_type() == at::kBFloat16 && width % 2 == 0 && width <= kMaxWidth && k.size(1) > 0 &&
         !wants_gradient(q, k, v);
}

Tensor attention(const Tensor& q_in, const Tensor& k_in, const Tensor& v_in, std::int64_t heads) {
  const Tensor q = q_in.contiguous(), k = k_in.contiguous(), v = v_in.contiguous();
  const std::int64_t batch = q.size(0), rows = q.size(1), stride = q.size(2), width = stride / heads;
  const HeadShape shape{.width = width,
                        .padded_width = round_up(width, 16),
                        .keys = k.size(1),
                        .padded_keys = round_up(k.size(1), kKeyBlock),
                        .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(width)))};
  const std::int64_t key_size = shape.width * shape.padded_keys;
  const std::int64_t value_size = shape.padded_width * shape.padded_keys;
  const Tensor packed = at::empty({batch * heads, key_size + value_size}, q.options());
  Tensor out = at::empty_like(q);
  auto* const packed_data = static_cast<std::uint16_t*>(packed.mutable_data_ptr());
  auto* const out_data = static_cast<std::uint16_t*>(out.mutable_data_ptr());
  const auto head_of = [&](std::int64_t i) { return packed_data + i * (key_size + value_size); };

  at::parallel_for(0, batch * heads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t offset = i / heads * shape.keys * stride + i % heads * width;
      pack_head(data(k) + offset, data(v) + offset, stride, shape, head_of(i), head_of(i) + key_size);
    }
  });
  const std::int64_t chunks = (rows + kRowBlock - 1) / kRowBlock;
  at::parallel_for(0, batch * heads * chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t i = task / chunks, first = task % chunks * kRowBlock;
      const std::int64_t offset = (i / heads * rows + first) * stride + i % heads * width;
      attend_rows(data(q) + offset, std::min(kRowBlock, rows - first), stride, {head_of(i), head_of(i) + key_size},
                  shape, out_data + offset);
    }
  });
  return out;
}

}  // namespace atelier::flash
