#pragma once

#include <functional>
#include <span>

#include "framework/training/adamw.h"
#include "framework/training/loss.h"
#include "framework/training/lr_schedule.h"

namespace atelier {

/// One batch of an optimizer step with the draws of the whole batch (slot -1).
struct TrainingBatch {
  BatchInputs inputs;
  Draws* draws = nullptr;  ///< borrowed for the call
};

/// What one optimizer step reports: detached scalars on the device. Reading one waits for the device.
struct StepResult {
  Tensor loss;    ///< before loss_divisor; the mean over the accumulated batches
  Reduced terms;  ///< unweighted, likewise
  std::map<std::string, double> weights;
  Tensor grad_norm;  ///< what is compared with the limit; without clipping over the trained parameters
};

/// The optimizer steps of one stage.
class Trainer {
 public:
  /// Attaches the stage to the session and moves what learns into flat buffers. Gradients handed on by an earlier stage
  /// ("carry.<parameter>" of `start`) are present before the first backward pass. Borrows session and stage. Throws
  /// Error for parameters that do not fit, and for a carried gradient of another shape.
  Trainer(Session& session, Stage& stage, const Start& start, Draws& initial);

  /// Backward passes, clipping, AdamW, the learning-rate schedule's step, Stage::after_step. Out of memory: tried
  /// again in smaller pieces, with the same loss and gradient.
  StepResult step(std::span<const TrainingBatch> batches);
  StepResult step(const BatchInputs& inputs, Draws& draws);

  /// Called in every step with the gradients as clipping finds them.
  void on_gradients(std::function<void(const FlatParameters&)> hook) { hook_ = std::move(hook); }

  /// Called where memory ran out, before the step is tried again in pieces of so many rows.
  void on_split(std::function<void(std::int64_t rows)> hook) { split_hook_ = std::move(hook); }

  [[nodiscard]] std::int64_t steps() const { return optimizer_.steps(); }
  [[nodiscard]] const FlatParameters& parameters() const { return parameters_; }
  [[nodiscard]] const Loss& loss() const { return loss_; }
  /// Rows computed at once: 0 is all. Smaller than the spec's after memory ran out.
  [[nodiscard]] std::int64_t micro_batch() const { return micro_batch_; }

  /// The first step (from 0) whose loss or gradient norm was not finite; from then on nothing was updated. -1: none.
  /// Waits for the device.
  [[nodiscard]] std::int64_t first_bad_step() const;
  /// Computes that step again from the same batches and throws the Error that names the tensor at fault. `where` says
  /// which step.
  [[noreturn]] void diagnose(std::span<const TrainingBatch> batches, const std::string& where);

  /// Trained values, both moments and the gradients that pile up, by "value.", "first.", "second.", "gradient.".
  [[nodiscard]] TensorMap state() const;
  /// Throws Error naming the first tensor that is missing, left over or of another shape; changes nothing then.
  void restore(std::int64_t steps, const TensorMap& state);

 private:
  [[nodiscard]] std::vector<double> learning_rates(std::int64_t step) const;  // in the stage's order
  [[nodiscard]] std::vector<double> in_buffer_order(const std::vector<double>& rates) const;
  void carry_in(const Start& start);
  [[nodiscard]] StepResult accumulate(std::span<const TrainingBatch> batches);
  [[nodiscard]] StepResult accumulate_in_memory(std::span<const TrainingBatch> batches);
  void note_finite(const StepResult& result);

  Session& session_;
  Stage& stage_;
  const TrainSpec spec_;
  Loss loss_;
  FlatParameters parameters_;
  AdamW optimizer_;
  LRSchedule schedule_;
  std::vector<double> base_rates_;  // in the stage's order
  std::int64_t micro_batch_ = 0;
  bool carried_ = false;   // gradients were present before this step's first backward pass
  Tensor first_bad_step_;  // int64 scalar on the device
  std::function<void(const FlatParameters&)> hook_;
  std::function<void(std::int64_t)> split_hook_;
};

}  // namespace atelier
