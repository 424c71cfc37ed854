#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "framework/pretraining/base_recipe.h"
#include "framework/pretraining/objective.h"

namespace atelier {

struct BaseProgress {
  std::int64_t step = 0, steps = 0;  ///< done, in all
  double loss = 0.0;                 ///< mean since the last report
  double steps_per_second = 0.0;     ///< since the last report
  double seconds_left = 0.0;
};

struct BaseTrainerOptions {
  std::filesystem::path snapshot;
  std::string digest;  ///< of everything that determines the result: a snapshot of another is refused
  Placement placement;
  double report_seconds = 10.0;
  std::function<bool()> stop = [] { return false; };  ///< asked after every step; true: save a snapshot and return
  std::function<void(const BaseProgress&)> on_progress = [](const BaseProgress&) {};
};

struct BaseTrainerResult {
  bool done = false;       ///< else interrupted; the snapshot holds the state
  std::int64_t steps = 0;  ///< made in all, earlier calls included
  std::int64_t resumed_from = 0;
  std::int64_t numbers = 0;  ///< that were trained
  double loss = 0.0;         ///< mean since the last report
  TensorMap values;          ///< when done: the moving average, or the trained values; float16 on the CPU
};

/// Trains the network of an objective: AdamW, clipping by the global norm, a learning-rate schedule, a moving average
/// (of decay min(d, (1 + t) / (10 + t)) at step t, so that a short training does not keep its start). Killed at any
/// instant and called again it ends with the same bits as an undisturbed run, on a CPU with one number of threads. On a
/// GPU the loop waits for the device only when it reports. Throws Error when loss or gradients stop being finite; it
/// names the step.
[[nodiscard]] BaseTrainerResult train_component(Objective& objective, const BaseRecipe& recipe,
                                                const BaseTrainerOptions& options);

}  // namespace atelier
