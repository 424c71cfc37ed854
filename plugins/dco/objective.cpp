#include "plugins/dco/objective.h"

#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>

#include "framework/methods/diffusion_loss.h"

namespace atelier::dco {

Tensor gate(const Tensor& difference, double beta) { return at::log_sigmoid(difference * -beta).neg(); }

/// min(snr, gamma) / snr; for v-prediction plus 1. Without any signal the quotient's limit, 1. [B]
Tensor Objective::weights(const Tensor& timesteps) const {
  const Tensor snr = noise_.schedule.snr(timesteps);
  const Tensor quotient = snr.clamp_max(*settings_.snr_gamma) / snr;
  const Tensor weights = at::where(snr == 0.0, at::ones_like(quotient), quotient);
  return noise_.prediction_type == PredictionType::v_prediction ? weights + 1.0 : weights;
}

Tensor Objective::errors(const Tensor& prediction, const Batch& batch) const {
  const Tensor errors = row_mse(prediction, batch.target);
  if (!settings_.snr_gamma) return errors;
  return errors * weights(batch.timesteps).to(errors.scalar_type());
}

Terms Objective::terms(const Tensor& own, const Tensor& reference) const {
  if (!settings_.has_reference()) return {{kOwnError, {.per_sample = own}}};
  if (!settings_.per_sample) {
    return {{kOwnError, {.per_sample = own}}, {kReferenceError, {.per_sample = reference, .weight = -1.0}}};
  }
  return {{kGate, {.per_sample = gate(own - reference, settings_.beta)}},
          {kOwnError, {.per_sample = own.detach(), .weight = 0.0}},
          {kReferenceError, {.per_sample = reference, .weight = 0.0}}};
}

Tensor Objective::combine(const Reduced& reduced) const {
  return gate(reduced.at(kOwnError) - reduced.at(kReferenceError), settings_.beta);
}

}  // namespace atelier::dco
