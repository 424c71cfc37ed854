#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "framework/core/json.h"
#include "framework/execute/slurm_profile.h"
#include "framework/store/store.h"

namespace atelier {

struct SlurmSubmitted {
  std::string job;         ///< number of the array; "" when nothing had to be submitted
  std::size_t tasks = 0;   ///< of the array
  std::size_t jobs = 0;    ///< of the study that they do
  std::size_t cached = 0;  ///< results that are in the store
  std::size_t queued = 0;  ///< jobs that earlier submissions' tasks in the queue do
  std::filesystem::path folder;
};

/// Submits one array of static slices for what is neither in the store nor given to a task that waits or runs. The
/// command may be closed then. Two calls at once do not submit anything twice. `worker`: the program atelier-worker,
/// which is frozen with the rest. Throws Error with Slurm's own words when it refuses; nothing is left then.
[[nodiscard]] SlurmSubmitted submit_to_slurm(const Json& manifest, const Store& store, const SlurmProfile& profile,
                                             const std::filesystem::path& worker);

/// The batch script of one task: `task` is what it becomes.
[[nodiscard]] std::string slurm_script(const SlurmProfile& profile, std::int64_t threads,
                                       const std::filesystem::path& folder, const std::filesystem::path& programs,
                                       const std::filesystem::path& store, std::size_t tasks);

}  // namespace atelier
