#pragma once

#include <vector>

#include "framework/pretraining/step_draws.h"

namespace atelier {

class SceneSet;

/// Draws instances, without a repetition inside an epoch, and two different pictures of each.
class InstancePairs {
 public:
  /// Throws Error when fewer than `batch` instances have two pictures: a batch would hold one twice.
  InstancePairs(const SceneSet& scenes, std::uint64_t seed, std::int64_t component, std::int64_t batch);

  /// [2·batch] int64: the first picture of each instance, then the second ones.
  [[nodiscard]] Tensor draw(const StepDraws& draws) const;

 private:
  std::vector<std::vector<std::int64_t>> pictures_;  // of each instance, two or more
  std::int64_t batch_;
  EpochOrder order_;
};

}  // namespace atelier
