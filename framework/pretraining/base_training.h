#pragma once

#include <optional>

#include "framework/pretraining/base_trainer.h"

namespace atelier {

struct BaseTrainingRequest {
  std::filesystem::path recipe;
  std::filesystem::path data;  ///< the folder that the recipe's scene sets lie in
  std::filesystem::path out;   ///< the pipeline's folder
  Placement placement;
  std::optional<std::int64_t> steps;  ///< instead of the recipe's
  double report_seconds = 10.0;
  std::function<bool()> stop = [] { return false; };
  std::function<void(const BaseProgress&)> on_progress = [](const BaseProgress&) {};
};

struct BaseTrainingResult {
  std::string component;
  bool already_done = false;  ///< the files of this very recipe were there
  BaseTrainerResult training;
  std::vector<std::filesystem::path> files;  ///< that were written (or were there)
  double seconds = 0.0;
};

/// Trains what a recipe says and writes it into the pipeline's folder: from its beginning, or from the snapshot that an
/// earlier call left in OUT/.training. What is there already, of the same recipe, data and inputs and unchanged, is not
/// trained again. Throws Error for faults of recipe, data and inputs; and an Error of kind interrupted, after a
/// snapshot, when `stop` says so.
[[nodiscard]] BaseTrainingResult run_base_training(const BaseTrainingRequest& request);

}  // namespace atelier
