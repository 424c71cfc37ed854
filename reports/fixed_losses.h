#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/store/index.h"

namespace atelier::reports {

/// The loss of a stage on fixed pictures, timesteps and noise: means over its trainings.
struct FixedLoss {
  std::string stage;  ///< "textreg ut step 140"
  double before = 0, after = 0;
  std::int64_t trainings = 0, lowered = 0;
};

/// By stage; empty for a study without `fixed_loss`.
[[nodiscard]] std::vector<FixedLoss> fixed_losses(Index& index, const std::string& manifest);

}  // namespace atelier::reports
