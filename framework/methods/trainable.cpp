#include "framework/methods/trainable.h"

#include <ATen/core/grad_mode.h>

#include "framework/models/base.h"

namespace atelier {

c10::ScalarType trainable_type(const Session& session) {
  return session.base().placement().dtype == c10::kDouble ? c10::kDouble : c10::kFloat;
}

Tensor trainable(const Session& session, const Tensor& value) {
  return value.detach()
      .to(session.base().placement().device, trainable_type(session), /*non_blocking=*/false, /*copy=*/true)
      .requires_grad_();
}

std::vector<Parameter> unfreeze(Session& session, const Start& start, const std::string& pattern) {
  std::vector<Parameter> parameters;
  for (auto& [name, tensor] : session.unfreeze(pattern)) {
    const at::NoGradGuard no_grad;
    const Tensor& base_value = tensor;
    if (start.find(name).defined()) tensor.copy_(start.value(name, [&] { return base_value; }));
    parameters.push_back({name, tensor});
  }
  return parameters;
}

void restore(Session& session, const TensorMap& tensors, const std::string& pattern) {
  for (const auto& [name, value] : tensors) {
    if (!matches(pattern, name)) continue;
    session.replace(name, value.detach().to(session.base().placement().device, trainable_type(session)));
  }
}

}  // namespace atelier
