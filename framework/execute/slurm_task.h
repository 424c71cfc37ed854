#pragma once

#include <filesystem>

#include "framework/execute/execute.h"
#include "framework/store/store.h"

namespace atelier {

/// What a task of the array does: its slice of submission `folder`, told by SLURM_ARRAY_TASK_ID. At its own deadline
/// (the time limit less the margin), or at SIGUSR2, it lets the workers save and asks Slurm to queue it again; so it
/// does when a worker died, up to three times. SIGTERM alone (scancel, preemption, a node set down) ends it. It neither
/// starts nor comes back when the submission was stopped. No database is opened. Returns the exit code: 0 done, 1
/// something failed, 3 interrupted.
[[nodiscard]] int run_slurm_task(const std::filesystem::path& folder, const Store& store,
                                 const std::filesystem::path& worker, ExecuteObserver& observer);

}  // namespace atelier
