#include "framework/training/adamw.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

namespace atelier {
namespace {

constexpr std::int64_t kGrain = 1 << 14;

struct Factors {
  double decay, beta1, beta2, root_correction, epsilon, step_size;
};

/// The loop of one thread. Constants are rounded to the element type first, as ATen does.
template <typename T>
void update(T* p, const T* g, T* m, T* v, std::int64_t count, const Factors& f) {
  const T decay = static_cast<T>(f.decay), take = static_cast<T>(1.0 - f.beta1);
  const T keep = static_cast<T>(f.beta2), add = static_cast<T>(1.0 - f.beta2);
  const T root_correction = static_cast<T>(f.root_correction), epsilon = static_cast<T>(f.epsilon);
  const T step_size = static_cast<T>(f.step_size);
  for (std::int64_t i = 0; i < count; ++i) {
    const T moment = m[i] + (g[i] - m[i]) * take;
    const T square = v[i] * keep + add * g[i] * g[i];
    const T denominator = std::sqrt(square) / root_correction + epsilon;
    p[i] = p[i] * decay - step_size * (moment / denominator);
    m[i] = moment;
    v[i] = square;
  }
}

void update_on_cpu(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v, const Factors& factors) {
  AT_DISPATCH_FLOATING_TYPES(p.scalar_type(), "adamw", [&] {
    auto* const values = p.mutable_data_ptr<scalar_t>();
    const auto* const gradients = g.const_data_ptr<scalar_t>();
    auto* const first = m.mutable_data_ptr<scalar_t>();
    auto* const second = v.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, p.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      update(values + begin, gradients + begin, first + begin, second + begin, end - begin, factors);
    });
  });
}

}  // namespace

AdamW::AdamW(const FlatParameters& parameters, const TrainSpec& spec)
    : parameters_(parameters),
      beta1_(spec.beta1),
      beta2_(spec.beta2),
      epsilon_(spec.epsilon),
      first_(at::zeros_like(parameters.values())),
      second_(at::zeros_like(parameters.values())) {}

void AdamW::step(const std::vector<double>& learning_rates, const Tensor& skip) {
  const at::NoGradGuard no_grad;
  ++steps_;
  const bool cpu = first_.device().is_cpu();
  if (cpu && skip.item<float>() != 0.0f) return;
  const auto t = static_cast<double>(steps_);
  for (std::size_t i = 0; i < parameters_.groups().size(); ++i) {
    const ParamGroup& group = parameters_.groups()[i];
    if (group.role != ParamGroup::Role::trained) continue;
    const auto range = parameters_.range(i);
    const auto part = [&](const Tensor& buffer) { return buffer.narrow(0, range.begin, range.size()); };
    const Tensor p = part(parameters_.values()), g = part(parameters_.gradients()), m = part(first_), v = part(second_);
    const double rate = learning_rates.at(i);
    if (cpu) {
      update_on_cpu(p, g, m, v,
                    {.decay = 1.0 - rate * group.weight_decay,
                     .beta1 = beta1_,
                     .beta2 = beta2_,
                     .root_correction = std::sqrt(1.0 - std::pow(beta2_, t)),
                     .epsilon = epsilon_,
                     .step_size = rate / (1.0 - std::pow(beta1_, t))});
      continue;
    }
    const Tensor count = at::full({}, t, first_.options().dtype(at::kFloat));
    at::_fused_adamw_({p}, {g}, {m}, {v}, {}, {count}, rate, beta1_, beta2_, group.weight_decay, epsilon_,
                      /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, /*found_inf=*/skip);
  }
}

void AdamW::restore(std::int64_t steps, const Tensor& first, const Tensor& second) {
  const at::NoGradGuard no_grad;
  steps_ = steps;
  first_.copy_(first);
  second_.copy_(second);
}

}  // namespace atelier
