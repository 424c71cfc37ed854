#pragma once

#include "framework/schedulers/noise_schedule.h"
#include "framework/training/batch_inputs.h"
#include "framework/training/recipe.h"

namespace atelier {

/// A loss and what it was made of: detached scalars on the device.
struct LossValue {
  Tensor loss;
  Reduced terms;  ///< unweighted
  std::map<std::string, double> weights;
};

/// The loss of one batch by a stage: noise is added, the host's tensors are prepared, the terms of each piece reduced
/// over the whole batch. However a batch is split, loss and gradient are the same.
class Loss {
 public:
  /// Borrows both. Throws Error when the base's scheduler config cannot be read.
  Loss(Session& session, Stage& stage);

  /// Adds d loss / loss_divisor to the parameters' gradients. micro_batch: rows of a piece, 0: all.
  [[nodiscard]] LossValue backward(const BatchInputs& inputs, Draws& draws, std::int64_t micro_batch) const;
  /// Without gradient.
  [[nodiscard]] LossValue evaluate(const BatchInputs& inputs, Draws& draws) const;

  /// The whole batch on the device, noisy latents and target in place.
  [[nodiscard]] Batch make_batch(const BatchInputs& inputs) const;
  [[nodiscard]] StepTensors prepare(const BatchInputs& inputs, Draws& draws) const;
  [[nodiscard]] std::int64_t num_train_timesteps() const { return noise_.schedule.num_train_timesteps(); }

 private:
  struct Piece {
    Batch batch;
    StepTensors tensors;
  };
  struct Part {
    Reduced reduced;
    std::map<std::string, double> weights;
  };
  [[nodiscard]] Piece whole(const BatchInputs& inputs, Draws& draws) const;
  [[nodiscard]] std::vector<Piece> split(const Piece& whole, std::int64_t micro_batch) const;
  [[nodiscard]] Part part(const Piece& piece, const Batch& whole) const;
  [[nodiscard]] LossValue linear(const std::vector<Piece>& pieces, const Batch& whole) const;
  [[nodiscard]] LossValue two_passes(const std::vector<Piece>& pieces, const Batch& whole) const;

  Session& session_;
  Stage& stage_;
  const TrainSpec spec_;
  TrainingNoise noise_;
};

}  // namespace atelier
