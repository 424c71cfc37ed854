#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/pretraining/base_training.h"
#include "tests/framework/pretraining/scene_support.h"

/// A scene set, recipes and one pipeline folder in a temporary folder.
struct TrainingPlace {
  explicit TrainingPlace(const std::filesystem::path& folder);

  /// The request for `component`: writes its recipe. No time passes between two reports.
  [[nodiscard]] atelier::BaseTrainingRequest request(const std::string& component, std::int64_t steps = 12,
                                                     const std::string& train = "ema_decay: 0.9") const;
  /// Trains the components that `component` learns from, few steps each.
  void prepare(const std::string& component) const;

  std::filesystem::path root, data, out;
};

/// SHA-256 of every file that a training wrote, by its name below `out`.
using Digests = std::map<std::string, std::string>;
[[nodiscard]] Digests digests(const atelier::BaseTrainingResult& result, const std::filesystem::path& out);

/// Trains without interruption; the losses of all steps go to `losses` where it is given.
Digests train(const atelier::BaseTrainingRequest& request, std::vector<double>* losses = nullptr);
