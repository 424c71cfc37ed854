#pragma once

#include <vector>

#include "framework/core/json.h"
#include "framework/training/loop.h"

namespace atelier::worker {

/// {"schema": "atelier.losses/1", "step": [1, …], "loss": […], "terms": {…}, "grad_norm": […]}, by optimizer step.
/// After flush().
[[nodiscard]] Json losses_json(const LossRecord& losses);

/// Puts the losses of the steps that a snapshot holds into an empty record, so that an object that is published after a
/// resumption has them all. A snapshot that is already past one of the checkpoints is of no use for it: it is removed,
/// and the stage starts from its beginning.
void restore_losses(LossRecord& losses, const SnapshotPolicy& snapshot, const std::vector<std::int64_t>& checkpoints);

}  // namespace atelier::worker
