#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "framework/training/loop.h"
#include "framework/training/stage.h"
#include "framework/worker/job_run.h"

namespace atelier::worker {

/// Pictures drawn while a stage trains.
struct PreviewRequest {
  std::int64_t every = 0;  ///< optimizer steps
  std::vector<std::string> prompts;
};

/// What a train job says.
struct TrainRequest {
  std::string stage;
  std::int64_t ordinal = 0;
  std::uint64_t seed = 0;
  std::int64_t steps = 0;  ///< of the whole stage
  Json options;            ///< resolved, all of the method
  Concept subject;
  std::vector<Photo> photos, class_photos;
  std::vector<std::string> class_sets;  ///< keys of images of the class that the base model drew
  PromptLists lists;
  std::map<std::string, std::string> inputs;  ///< name -> key
  SnapshotPolicy snapshot;                    ///< under the key of the last output
  std::optional<PreviewRequest> preview;
  std::int64_t fixed_loss = 0;  ///< timesteps and noises for each photo; 0: the loss on fixed photos is not measured

  /// Throws Error (usage) naming the key that is missing or wrong.
  [[nodiscard]] static TrainRequest from(const JobRun& run);

  [[nodiscard]] std::int64_t step_of(const JobOutput& output) const;
  [[nodiscard]] std::set<std::int64_t> steps_wanted(const std::vector<JobOutput>& outputs) const;
};

}  // namespace atelier::worker
