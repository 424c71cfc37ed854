#pragma once

#include <chrono>
#include <filesystem>
#include <functional>

#include "framework/training/loss_record.h"
#include "framework/training/stage.h"

namespace atelier {

/// When a stage is saved so that it can go on after an interruption.
struct SnapshotPolicy {
  std::filesystem::path path;  ///< empty: never
  std::string key;             ///< of the stage
  std::int64_t every_steps = 0;
  double every_seconds = 0.0;
};

/// What a loop tells after each step.
struct TrainProgress {
  std::int64_t done = 0, total = 0;    ///< optimizer steps
  const StepResult* result = nullptr;  ///< on the device: reading a value waits for it
  [[nodiscard]] double loss() const;
};

struct LoopOptions {
  std::uint64_t seed = 0;
  std::int64_t ordinal = 0;  ///< of the stage in its method
  std::int64_t steps = 1;
  std::vector<std::int64_t> checkpoints;  ///< steps (1 … steps) whose state is published; empty: the last
  Start start;
  std::vector<Photo> photos;
  std::vector<Photo> class_photos;  ///< not empty: as many rows of the class follow the rows of the concept
  SnapshotPolicy snapshot;
  std::function<bool()> stop;                       ///< asked after every step; true: save a snapshot and return
  std::function<void(const Trainer&)> on_attached;  ///< before the first step; trainer.steps() > 0 after a resumption
  std::function<void(const FlatParameters&)> on_gradients;  ///< as clipping finds them
  /// Memory ran out in step `step` (from 0), which is tried again in pieces of `rows` rows.
  std::function<void(std::int64_t step, std::int64_t rows)> on_split;
  std::function<void(const TrainProgress&)> on_step;
  std::function<void(std::int64_t step, const Stage&)> on_checkpoint;  ///< in order; publish before returning
  bool cache_latents = true;  ///< false: encode at every access, with the same result
};

struct LoopResult {
  bool done = false;       ///< else interrupted; the snapshot holds the state
  std::int64_t steps = 0;  ///< made in all, earlier attempts included
  std::int64_t resumed_from = 0;
  LossRecord losses;  ///< of all steps; flushed
  std::int64_t trained_numbers = 0;
  std::int64_t micro_batch = 0;  ///< rows computed at once (0: all); smaller than asked after memory ran out
};

/// Trains a stage: attaches it, goes on from a snapshot where there is one, and steps. Interrupted at any instant and
/// called again with the same options it ends with the same bits as an undisturbed run, on one class of device with
/// one number of threads. When the last checkpoint has been published the snapshot is removed. Borrows session and
/// stage. Throws Error when loss or gradients stop being finite; it names step, timesteps, seed and tensor.
[[nodiscard]] LoopResult train_stage(Session& session, Stage& stage, const LoopOptions& options);

}  // namespace atelier
