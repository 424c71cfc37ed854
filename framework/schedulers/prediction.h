#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>

#include "framework/schedulers/noise_schedule.h"

namespace atelier {

/// One model call's noise level as x = alpha·x0 + sigma·noise.
struct Level {
  double alpha = 1.0;
  double sigma = 0.0;
};

/// x0 and the noise from what the model returned at x: epsilon (x − σ·m)/α and m, v-prediction α·x − σ·m and α·m + σ·x,
/// sample m and (x − α·m)/σ.
[[nodiscard]] at::Tensor predicted_original(PredictionType type, const Level& level, const at::Tensor& x,
                                            const at::Tensor& model_output);
[[nodiscard]] at::Tensor predicted_noise(PredictionType type, const Level& level, const at::Tensor& x,
                                         const at::Tensor& model_output);

struct Term {
  double weight = 0.0;
  at::Tensor tensor;
};

/// Σ weight·tensor, in one pass for each term. Terms of weight 0 after the first are skipped; their tensor may be
/// undefined.
[[nodiscard]] at::Tensor weighted_sum(std::initializer_list<Term> terms);

}  // namespace atelier
