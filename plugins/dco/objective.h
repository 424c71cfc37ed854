#pragma once

#include <string>

#include "framework/schedulers/noise_schedule.h"
#include "framework/training/stage.h"
#include "plugins/dco/settings.h"

namespace atelier::dco {

/// The names of its terms: ‖prediction − target‖² of the model that learns, and of the base model.
inline constexpr const char* kOwnError = "mse";
inline constexpr const char* kReferenceError = "reference";
inline constexpr const char* kGate = "dco";

/// log(1 + exp(beta · difference)), stable for every size: −log σ(−beta · difference). Its slope is
/// beta · σ(beta · difference).
[[nodiscard]] Tensor gate(const Tensor& difference, double beta);

/// The DCO loss (Lee et al. 2024, arXiv:2402.12004): the model has to predict better than the base model.
///
///     loss = log(1 + exp(beta (Lm − Lr)))      Lm, Lr: mean squared errors of model and base over the batch
///
/// per_sample: the mean of each row's own. beta <= 0: Lm alone. With snr_gamma both errors have min-SNR weights (Hang
/// et al. 2023, arXiv:2303.09556), before the sigmoid.
class Objective {
 public:
  /// `noise`: the base's training noise, its tables on the device.
  Objective(const LossSettings& settings, TrainingNoise noise) : settings_(settings), noise_(std::move(noise)) {}

  /// [B] of what the network returned [B, 4, h, w], weighted.
  [[nodiscard]] Tensor errors(const Tensor& prediction, const Batch& batch) const;
  /// The terms from both errors [B]; `reference` is not looked at without one.
  [[nodiscard]] Terms terms(const Tensor& own, const Tensor& reference) const;
  /// The loss from the batch's means, where it is not their weighted sum.
  [[nodiscard]] Tensor combine(const Reduced& reduced) const;

 private:
  [[nodiscard]] Tensor weights(const Tensor& timesteps) const;

  const LossSettings settings_;
  const TrainingNoise noise_;
};

}  // namespace atelier::dco
