#include "framework/training/gradient_norm.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

namespace atelier {
namespace {

bool counts(const ParamGroup& group, bool clipping) {
  if (group.role == ParamGroup::Role::accumulated) return false;
  return clipping ? group.clip : group.role == ParamGroup::Role::trained;
}

/// ATen's norm adds one after the other on the CPU: in float32 the sum of a whole UNet's squares stops growing long
/// before its end. Long buffers are therefore taken in pieces, and the norm of the pieces' norms.
constexpr std::int64_t kOneSum = 1 << 20, kPiece = 1 << 16;

Tensor norm_of(const Tensor& flat) {
  if (!flat.is_cpu() || flat.numel() <= kOneSum) return at::linalg_vector_norm(flat);
  const std::int64_t whole = flat.numel() / kPiece * kPiece;
  const Tensor pieces = at::linalg_vector_norm(flat.narrow(0, 0, whole).view({-1, kPiece}), 2, at::IntArrayRef{1});
  const Tensor rest = at::linalg_vector_norm(flat.narrow(0, whole, flat.numel() - whole));
  return at::linalg_vector_norm(at::cat({pieces, rest.view({1})}));
}

}  // namespace

Tensor gradient_norm(const FlatParameters& parameters, bool clipping) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> norms;
  for (std::size_t i = 0; i < parameters.groups().size(); ++i) {
    const auto range = parameters.range(i);
    if (!counts(parameters.groups()[i], clipping) || range.size() == 0) continue;
    norms.push_back(norm_of(parameters.gradients().narrow(0, range.begin, range.size())));
  }
  if (norms.empty()) return at::zeros({}, parameters.gradients().options());
  return norms.size() == 1 ? norms.front() : at::linalg_vector_norm(at::stack(norms));
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
