#include "framework/models/activation_checkpoint.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace atelier {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// `f` travels as a custom class inside an IValue, which is how LibTorch's contexts carry what is not a tensor.
struct Recompute : torch::CustomClassHolder {
  explicit Recompute(std::function<Tensor(const Tensor&)> function) : f(std::move(function)) {}
  std::function<Tensor(const Tensor&)> f;
};

struct CheckpointFunction : torch::autograd::Function<CheckpointFunction> {
  // `trigger` requires a gradient, so that backward() is called even where only parameters inside f learn.
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& /*trigger*/,
                          const c10::intrusive_ptr<Recompute>& recompute) {
    context->save_for_backward({x});
    context->saved_data["f"] = c10::IValue::make_capsule(recompute);
    const at::NoGradGuard no_grad;
    return recompute->f(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Variable saved = context->get_saved_variables().front();
    const Variable x = saved.detach().requires_grad_(saved.requires_grad());
    const auto recompute = context->saved_data["f"].toCapsule();
    {
      const at::AutoGradMode grad(true);
      const Tensor y = static_cast<Recompute*>(recompute.get())->f(x);
      torch::autograd::backward({y}, {gradients.front()});
    }
    return {x.requires_grad() ? x.grad() : Variable(), Variable(), Variable()};
  }
};

}  // namespace

Tensor activation_checkpoint(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  if (!c10::GradMode::is_enabled()) return f(x);
  const Tensor trigger = at::ones({1}, x.options()).requires_grad_();
  return CheckpointFunction::apply(x, trigger, c10::make_intrusive<Recompute>(f));
}

}  // namespace atelier
