#include "plugins/textreg/identifier.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "framework/core/error.h"

namespace atelier::textreg {
namespace {

constexpr double kForbidden = -std::numeric_limits<double>::infinity();

}  // namespace

Tensor causal_mask(std::int64_t length) {
  return at::full({1, length, length}, kForbidden, at::TensorOptions().dtype(at::kFloat)).triu_(1);
}

Tensor identifier_mask(std::span<const std::int64_t> ids, std::int64_t identifier, std::int64_t class_tokens) {
  if (class_tokens < 1) {
    throw Error({.where = "identifier mask",
                 .found = fmt::format("a class word of {} tokens", class_tokens),
                 .expected = "at least one"});
  }
  const auto length = static_cast<std::int64_t>(ids.size());
  const Tensor mask = causal_mask(length);
  const Tensor grid = mask[0];  // [queries, keys]
  for (std::int64_t p = 0; p < length; ++p) {
    if (ids[static_cast<std::size_t>(p)] != identifier) continue;
    grid[p].narrow(0, 0, p).fill_(kForbidden);
    const auto first = std::min(p + class_tokens + 1, length);
    grid.select(1, p).narrow(0, first, length - first).fill_(kForbidden);
  }
  return mask;
}

void decay_norm_(const Tensor& row, const Tensor& target_norm, double learning_rate) {
  if (learning_rate == 0.0) return;
  const at::NoGradGuard no_grad;
  const double share = std::min(1.0, 100.0 * learning_rate);
  const Tensor norm = row.norm();
  row.div_(norm.clamp_min(1e-12)).mul_(norm + share * (target_norm - norm));
}

}  // namespace atelier::textreg
