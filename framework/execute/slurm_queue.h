#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier {

/// A task as squeue tells it.
struct SlurmTask {
  std::string submission;  ///< the job's name: "atelier-<uuid>"
  std::string job;         ///< number of the array
  std::int64_t task = 0;   ///< in the array
  std::string state, reason, node;
};

/// The caller's tasks in the queue that Atelier submitted, to any store: one squeue for all of them. Throws Error when
/// it cannot be asked.
[[nodiscard]] std::vector<SlurmTask> slurm_queue();
/// They get SIGTERM, later SIGKILL. Throws Error when Slurm refuses.
void cancel_slurm_jobs(const std::vector<std::string>& numbers);
/// Of squeue's lines "name|job|task|state|reason|node". Those that no longer run nor wait are left out, as are other
/// programs' jobs.
[[nodiscard]] std::vector<SlurmTask> parse_squeue(const std::string& text);

/// One call of `run --executor slurm`, as the store remembers it: slurm/<name>/.
struct SlurmSubmission {
  std::string name;  ///< "atelier-<uuid>", also the job's in the queue
  std::string study;
  std::string job;  ///< number of the array; "" where the submitting process died before it was told
  std::filesystem::path folder;
  std::vector<std::set<std::string>> keys;  ///< of each task: what it publishes
};

/// For a task that is being queued again Slurm forgets a scancel. So what is stopped is marked too: a task that starts
/// all the same ends at once.
void mark_stopped(const SlurmSubmission& submission);
[[nodiscard]] bool is_stopped(const std::filesystem::path& submission);

/// Oldest first. Of all studies when `study` is empty.
[[nodiscard]] std::vector<SlurmSubmission> slurm_submissions(const Store& store, const std::string& study = "");
[[nodiscard]] std::filesystem::path slurm_folder(const Store& store);

/// The keys that tasks in the queue are going to publish into this store. Those of stopped submissions are not.
[[nodiscard]] std::set<std::string> keys_in_queue(const Store& store, const std::vector<SlurmTask>& queue);

}  // namespace atelier
