#include "framework/methods/truncated_lora.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {
namespace {

/// The order of sums in LAPACK depends on the number of threads.
class OneThread {
 public:
  OneThread() { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_ = at::get_num_threads();
};

struct Norms {
  double kept = 0, all = 0;  // squared
};

bool holds_double(const std::vector<WeightedLora>& loras) {
  const auto is_double = [](const LoraEntry& entry) {
    return entry.down.dtype == Dtype::f64 || entry.up.dtype == Dtype::f64;
  };
  return std::ranges::any_of(loras, [&](const auto& lora) { return std::ranges::any_of(lora.entries, is_double); });
}

/// `entry`: in double precision, alpha = rank.
LoraEntry truncated_entry(const LoraEntry& entry, std::int64_t rank, at::ScalarType type, Norms& norms) {
  const auto [qu, ru] = at::linalg_qr(to_tensor(entry.up).flatten(1));          // [out, k], [k, r]
  const auto [qd, rd] = at::linalg_qr(to_tensor(entry.down).flatten(1).t());    // [in, m], [m, r]
  const auto [left, values, right] = at::linalg_svd(ru.matmul(rd.t()), false);  // [k, n], [n], [n, m]
  const auto left_rank = std::min(rank, values.size(0));
  const Tensor squares = values.square();
  norms.kept += squares.narrow(0, 0, left_rank).sum().item<double>();
  norms.all += squares.sum().item<double>();
  const Tensor roots = values.narrow(0, 0, left_rank).sqrt();
  const Tensor new_up = qu.matmul(left.narrow(1, 0, left_rank)) * roots;                      // [out, R]
  const Tensor new_down = roots.unsqueeze(1) * right.narrow(0, 0, left_rank).matmul(qd.t());  // [R, in]
  auto down_shape = entry.down.shape, up_shape = entry.up.shape;
  down_shape[0] = left_rank;
  up_shape[1] = left_rank;
  return {.module = entry.module,
          .down = to_view(new_down.reshape(down_shape).to(type)),
          .up = to_view(new_up.reshape(up_shape).to(type)),
          .alpha = static_cast<double>(left_rank),
          .rank = left_rank};
}

}  // namespace

TruncatedLora truncated(const std::vector<WeightedLora>& loras, std::int64_t rank) {
  if (rank < 1) {
    throw Error({.where = "rank", .found = fmt::format("{}", rank), .expected = "at least 1"}, ErrorKind::usage);
  }
  const at::NoGradGuard no_grad;
  const OneThread one_thread;
  TruncatedLora result;
  Norms norms;
  const auto type = holds_double(loras) ? at::kDouble : at::kFloat;
  for (const auto& entry : concatenated(loras, true)) {
    result.entries.push_back(truncated_entry(entry, rank, type, norms));
  }
  if (norms.all > 0) result.kept = norms.kept / norms.all;
  return result;
}

}  // namespace atelier
