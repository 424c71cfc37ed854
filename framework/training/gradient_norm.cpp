#include "framework/training/gradient_norm.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/zeros.h>

namespace atelier {
namespace {

bool counts(const ParamGroup& group, bool clipping) {
  if (group.role == ParamGroup::Role::accumulated) return false;
  return clipping ? group.clip : group.role == ParamGroup::Role::trained;
}

constexpr std::int64_t kBlock = 512;  // numbers whose squares are added in the buffer's own type

/// The sum of the squares of a flat buffer's part, a float64 scalar. A sum of float32 squares on the CPU loses what is
/// small beside it (an unfrozen UNet has 10⁹ of them), so only short blocks are added in float32.
Tensor sum_of_squares(const Tensor& part) {
  const std::int64_t blocks = part.numel() / kBlock, whole = blocks * kBlock;
  const auto squared = [](const Tensor& norms) { return norms.to(at::kDouble).square().sum(); };
  Tensor sum = squared(at::linalg_vector_norm(part.narrow(0, whole, part.numel() - whole)));
  if (blocks > 0) {
    const Tensor rows = part.narrow(0, 0, whole).view({blocks, kBlock});
    sum = sum + squared(at::linalg_vector_norm(rows, 2, at::IntArrayRef({1})));
  }
  return sum;
}

}  // namespace

Tensor gradient_norm(const FlatParameters& parameters, bool clipping) {
  const at::NoGradGuard no_grad;
  Tensor sum = at::zeros({}, parameters.gradients().options().dtype(at::kDouble));
  for (std::size_t i = 0; i < parameters.groups().size(); ++i) {
    const auto range = parameters.range(i);
    if (!counts(parameters.groups()[i], clipping) || range.size() == 0) continue;
    sum = sum + sum_of_squares(parameters.gradients().narrow(0, range.begin, range.size()));
  }
  return sum.sqrt().to(parameters.gradients().scalar_type());
}

void clip_gradients_(const FlatParameters& parameters, const Tensor& norm, double max_norm) {
  const at::NoGradGuard no_grad;
  const Tensor factor = at::reciprocal(norm + 1e-6).mul_(max_norm).clamp_max_(1.0);
  for (std::size_t i = 0; i < parameters.groups().size(); ++i) {
    const ParamGroup& group = parameters.groups()[i];
    if (!group.clip || group.role != ParamGroup::Role::trained) continue;
    const auto range = parameters.range(i);
    parameters.gradients().narrow(0, range.begin, range.size()).mul_(factor);
  }
}

}  // namespace atelier
