#pragma once

#include <cstdint>
#include <vector>

#include "framework/training/stage.h"

namespace atelier {

struct EvaluationOptions {
  std::vector<Photo> photos;
  std::int64_t draws = 8;  ///< pairs of timestep and noise for each photo
  std::uint64_t seed = 0;
  std::string term = "mse";
};

/// A loss that can be compared before, during and after training: the mean of one term over fixed pictures (nothing
/// flipped, jittered or cropped at random; the posterior's mean), timesteps spread evenly over the schedule and fixed
/// noise. Nothing learns. The stage must have been attached. Throws Error when it has no such term.
[[nodiscard]] double evaluation_loss(Session& session, Stage& stage, const EvaluationOptions& options);

}  // namespace atelier
