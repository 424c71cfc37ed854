#include "framework/models/activation_checkpoint.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace atelier {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

using Checkpointed = std::function<std::vector<Tensor>(const Tensor&, const Tensor&)>;

/// `f` travels as a custom class inside an IValue, which is how LibTorch's contexts carry what is not a tensor.
struct Recompute : torch::CustomClassHolder {
  Recompute(Checkpointed function, std::vector<Tensor> values) : f(std::move(function)), results(std::move(values)) {}
  Checkpointed f;
  std::vector<Tensor> results;  // of the first pass, until they are handed out
};

/// The input as a leaf of its own, which needs a gradient where the input does.
Variable leaf(const Variable& input) { return input.detach().requires_grad_(input.requires_grad()); }

/// With a graph, which is dropped at once: the kernels, and so the bits, are those of a pass that keeps it.
std::vector<Tensor> first_pass(const Checkpointed& f, const Tensor& x, const Tensor& condition, bool& learns) {
  std::vector<Tensor> results;
  for (const Tensor& result : f(leaf(x), leaf(condition))) {
    learns = learns || result.requires_grad();
    results.push_back(result.detach());
  }
  return results;
}

Tensor gradient_of(const Variable& input) { return input.requires_grad() ? input.grad() : Tensor(); }

struct CheckpointFunction : torch::autograd::Function<CheckpointFunction> {
  // `trigger` requires a gradient, so that backward() is called even where only parameters inside f learn.
  static variable_list forward(AutogradContext* context, const Variable& x, const Variable& condition,
                               const Variable& /*trigger*/, const c10::intrusive_ptr<Recompute>& recompute) {
    context->save_for_backward({x, condition});
    context->saved_data["f"] = c10::IValue::make_capsule(recompute);
    return std::exchange(recompute->results, {});
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    variable_list inputs;
    for (const Variable& saved : context->get_saved_variables()) inputs.push_back(leaf(saved));
    const auto recompute = context->saved_data["f"].toCapsule();
    {
      const at::AutoGradMode grad(true);
      variable_list results, slopes;
      const auto all = static_cast<Recompute*>(recompute.get())->f(inputs[0], inputs[1]);
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (!all[i].requires_grad()) continue;
        results.push_back(all[i]);
        slopes.push_back(gradients[i]);
      }
      if (!results.empty()) torch::autograd::backward(results, slopes);
    }
    return {gradient_of(inputs[0]), gradient_of(inputs[1]), Variable(), Variable()};
  }
};

}  // namespace

std::vector<Tensor> activation_checkpoint(const Checkpointed& f, const Tensor& x, const Tensor& condition) {
  if (!c10::GradMode::is_enabled()) return f(x, condition);
  bool learns = false;
  auto results = first_pass(f, x, condition, learns);
  if (!learns) return results;  // nothing will ask for this again
  const Tensor trigger = at::ones({1}, x.options()).requires_grad_();
  return CheckpointFunction::apply(x, condition, trigger, c10::make_intrusive<Recompute>(f, std::move(results)));
}

Tensor activation_checkpoint(const std::function<Tensor(const Tensor&, const Tensor&)>& f, const Tensor& x,
                             const Tensor& condition) {
  const Checkpointed all = [f](const Tensor& in, const Tensor& other) { return std::vector<Tensor>{f(in, other)}; };
  return activation_checkpoint(all, x, condition).front();
}

}  // namespace atelier
