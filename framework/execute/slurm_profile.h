#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace atelier {

/// What a site's Slurm is asked for: a file of the user's, the same for all studies. Nothing of it enters a key.
struct SlurmProfile {
  std::string partition, account, qos, constraint, gres, memory;  ///< "": the site's default
  std::int64_t seconds = 0;                                       ///< the time limit of a task
  std::int64_t margin = 120;         ///< seconds before it at which a task saves and asks to be queued again
  std::int64_t tasks = 16;           ///< of the array, at most
  std::int64_t slots = 1;            ///< workers of a task at a time
  std::int64_t requeues = 20;        ///< how often a task may be queued again
  std::vector<std::string> options;  ///< further options of sbatch, as they are
  std::vector<std::string> setup;    ///< lines of shell before the task: module load …
};

/// Throws Error (usage) with every fault of the file, with line and column.
[[nodiscard]] SlurmProfile read_slurm_profile(const std::filesystem::path& file);

/// Slurm's forms: "90" (minutes), "90:30", "4:00:00", "1-12", "1-12:30", "1-12:30:00". 0 for any other text.
[[nodiscard]] std::int64_t slurm_seconds(const std::string& text);

}  // namespace atelier
