#include "framework/methods/diffusion_loss.h"

#include <ATen/ops/arange.h>

#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/schedulers/noise_schedule.h"

namespace atelier {
namespace {

Tensor for_rows(const Tensor& x, std::int64_t rows) {
  if (!x.defined() || x.size(0) == rows) return x;
  auto shape = x.sizes().vec();
  shape[0] = rows;
  return x.expand(shape);
}

}  // namespace

Tensor predict(Session& session, const Batch& batch, const TextCondition& text, const UNetCall& call) {
  const UNetInput input{.sample = batch.noisy_latents,
                        .timesteps = batch.timesteps,
                        .context = for_rows(text.context, batch.size()),
                        .text_embeds = session.base().is_sdxl() ? for_rows(text.pooled, batch.size()) : Tensor(),
                        .time_ids = batch.time_ids};
  UNetCall own = call;
  own.checkpoint = call.checkpoint || session.recomputes_activations();
  const Tensor prediction = session.unet().forward(input, own);
  return prediction.scalar_type() == at::kDouble ? prediction : prediction.to(at::kFloat);
}

Tensor row_mse(const Tensor& prediction, const Tensor& target) {
  return (prediction - target.to(prediction.scalar_type())).square().flatten(1).mean(1);
}

// As γ / SNR cut at 1, which is the same number and defined where the SNR is 0.
Tensor min_snr_weights(const Session& session, double gamma) {
  const auto noise = read_training_noise(session.base().checkpoint().scheduler_config());
  const Tensor timesteps = at::arange(noise.schedule.num_train_timesteps(), at::TensorOptions().dtype(at::kLong));
  const Tensor weights = (gamma / noise.schedule.snr(timesteps)).clamp_max(1.0);
  const bool velocity = noise.prediction_type == PredictionType::v_prediction;
  return (velocity ? weights + 1.0 : weights).to(session.base().placement().device);
}

Terms diffusion_terms(const Tensor& prediction, const Batch& batch, std::optional<double> prior_weight) {
  const Tensor errors = row_mse(prediction, batch.target);  // [B]
  if (!prior_weight) return {{"mse", {.per_sample = errors}}};
  const auto split = batch.instance_rows;
  return {{"mse", {.per_sample = errors.narrow(0, 0, split), .rows = Term::Rows::instance}},
          {"prior",
           {.per_sample = errors.narrow(0, split, batch.size() - split),
            .weight = *prior_weight,
            .rows = Term::Rows::of_class}}};
}

}  // namespace atelier
