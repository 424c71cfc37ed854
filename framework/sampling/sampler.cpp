#include "framework/sampling/sampler.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/isfinite.h>

#include "framework/core/error.h"
#include "framework/tensor/random.h"

namespace atelier {
namespace {

/// One draw per row, each of the shape [1, 4, h, w]: a picture does not depend on what is sampled beside it.
Tensor draw(const Tensor& like, std::vector<at::Generator>& generators) {
  std::vector<Tensor> rows;
  const auto sizes = like.sizes();
  for (auto& generator : generators) rows.push_back(randn({1, sizes[1], sizes[2], sizes[3]}, generator));
  return at::cat(rows).to(like.options());
}

}  // namespace

Tensor initial_latents(at::IntArrayRef shape, const std::vector<std::uint64_t>& seeds,
                       std::vector<at::Generator>& generators) {
  std::vector<Tensor> rows;
  for (const auto seed : seeds) {
    generators.push_back(make_generator(seed));
    rows.push_back(randn({1, shape[0], shape[1], shape[2]}, generators.back()));
  }
  return at::cat(rows);
}

Tensor sample_latents(GuidedModel& model, Scheduler& scheduler, const Tensor& latents,
                      std::vector<at::Generator>& generators, const std::function<void(const SamplingStep&)>& on_step) {
  const at::NoGradGuard no_grad;
  Tensor sample = latents * scheduler.init_noise_sigma();
  const std::size_t calls = scheduler.timesteps().size();
  for (std::size_t call = 0; call < calls; ++call) {
    const Tensor noise_pred = model.predict(scheduler.scale_model_input(sample, call), scheduler.timesteps()[call]);
    const Tensor noise = scheduler.draws_noise(call) ? draw(sample, generators) : Tensor();
    sample = model.finish_step(scheduler.step(noise_pred, call, sample, noise));
    if (on_step) on_step({call, calls, sample});
  }
  if (!at::isfinite(sample).all().item<bool>()) {
    throw Error({.where = "sampling with " + scheduler.name(),
                 .found = "latents that are not finite",
                 .expected = "numbers",
                 .advice = "try float32, and check the model's weights and the scheduler's prediction_type"});
  }
  return sample;
}

}  // namespace atelier
