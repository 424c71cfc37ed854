#include "framework/training/gradient_norm.h"

#include <ATen/core/grad_mode.h>
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

}  // namespace

Tensor gradient_norm(const FlatParameters& parameters, bool clipping) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> norms;
  for (std::size_t i = 0; i < parameters.groups().size(); ++i) {
    const auto range = parameters.range(i);
    if (!counts(parameters.groups()[i], clipping) || range.size() == 0) continue;
    norms.push_back(at::linalg_vector_norm(parameters.gradients().narrow(0, range.begin, range.size())));
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
