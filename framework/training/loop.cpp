#include "framework/training/loop.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/training/snapshot.h"
#include "framework/training/training_data.h"

namespace atelier {
namespace {

constexpr std::int64_t kFiniteInterval = 20;  // steps between looks at the flag, where a look waits for the device

using Clock = std::chrono::steady_clock;

TrainingData::Options data_options(const LoopOptions& options, const Loss& loss) {
  return {.seed = options.seed,
          .stage = options.ordinal,
          .steps = options.steps,
          .photos = options.photos,
          .class_photos = options.class_photos,
          .num_train_timesteps = loss.num_train_timesteps(),
          .cache = options.cache_latents};
}

RandomDraws initial_draws(const LoopOptions& options) {
  return RandomDraws({.seed = options.seed, .stage = options.ordinal, .step = -1, .slot = -1});
}

/// One run of the loop.
class Run {
 public:
  Run(Session& session, Stage& stage, const LoopOptions& options)
      : stage_(stage),
        options_(options),
        initial_(initial_draws(options)),
        trainer_(session, stage, options.start, initial_),
        data_(session.base(), stage, data_options(options, trainer_.loss())),
        snapshot_(options.snapshot.path, options.snapshot.key),
        on_cpu_(session.base().placement().device.is_cpu()) {
    if (options.on_gradients) trainer_.on_gradients(options.on_gradients);
    if (options.on_split) trainer_.on_split([this](std::int64_t rows) { options_.on_split(trainer_.steps(), rows); });
  }

  LoopResult run() {
    LoopResult result;
    result.resumed_from = snapshot_.load(trainer_, losses_);
    if (options_.on_attached) options_.on_attached(trainer_);
    saved_ = Clock::now();
    bool stopped = false;
    while (trainer_.steps() < options_.steps && !stopped) {
      step();
      stopped = options_.stop && options_.stop() && trainer_.steps() < options_.steps;
      if (stopped || snapshot_due()) save();
    }
    check_finite();
    if (!stopped) snapshot_.remove();
    losses_.flush();
    result.done = !stopped;
    result.steps = trainer_.steps();
    result.losses = std::move(losses_);
    result.trained_numbers = trainer_.parameters().trained_numbers();
    result.micro_batch = trainer_.micro_batch();
    return result;
  }

 private:
  /// The step's batches, with the draws they are computed with.
  struct Batches {
    std::vector<std::unique_ptr<RandomDraws>> draws;
    std::vector<TrainingBatch> batches;
  };

  Batches batches(std::int64_t step) {
    Batches made;
    for (auto& inputs : data_.batches(step)) {
      const auto index = static_cast<std::int64_t>(made.batches.size());
      made.draws.push_back(std::make_unique<RandomDraws>(data_.batch_place(step, index)));
      made.batches.push_back({.inputs = std::move(inputs), .draws = made.draws.back().get()});
    }
    return made;
  }

  void step() {
    const Batches made = batches(trainer_.steps());
    const StepResult result = trainer_.step(made.batches);
    losses_.append(result);
    const std::int64_t done = trainer_.steps();
    if (on_cpu_ || done % kFiniteInterval == 0 || checkpoint(done)) check_finite();
    if (options_.on_step) options_.on_step({.done = done, .total = options_.steps, .result = &result});
    if (options_.on_checkpoint && checkpoint(done)) options_.on_checkpoint(done, stage_);
  }

  [[nodiscard]] bool checkpoint(std::int64_t step) const {
    const auto& steps = options_.checkpoints;
    if (steps.empty()) return step == options_.steps;
    return std::find(steps.begin(), steps.end(), step) != steps.end();
  }

  [[nodiscard]] bool snapshot_due() const {
    const auto& policy = options_.snapshot;
    if (!snapshot_.enabled() || trainer_.steps() >= options_.steps) return false;
    if (policy.every_steps > 0 && trainer_.steps() % policy.every_steps == 0) return true;
    return policy.every_seconds > 0.0 &&
           std::chrono::duration<double>(Clock::now() - saved_).count() >= policy.every_seconds;
  }

  void save() {
    if (!snapshot_.enabled()) return;
    check_finite();
    snapshot_.write(trainer_, losses_);
    saved_ = Clock::now();
  }

  /// Nothing was updated since the bad step, so it can be computed again as it was.
  void check_finite() {
    const std::int64_t bad = trainer_.first_bad_step();
    if (bad < 0) return;
    const Batches made = batches(bad);
    std::vector<std::int64_t> timesteps;
    for (const auto& batch : made.batches) {
      const Tensor& drawn = batch.inputs.timesteps;
      for (std::int64_t i = 0; i < drawn.size(0); ++i) timesteps.push_back(drawn[i].item<std::int64_t>());
    }
    trainer_.diagnose(made.batches, fmt::format("training step {} (seed {}, timesteps {})", bad, options_.seed,
                                                fmt::join(timesteps, " ")));
  }

  Stage& stage_;
  const LoopOptions& options_;
  RandomDraws initial_;
  Trainer trainer_;
  TrainingData data_;
  Snapshot snapshot_;
  LossRecord losses_;
  bool on_cpu_;
  Clock::time_point saved_;
};

}  // namespace

double TrainProgress::loss() const { return result->loss.item<double>(); }

LoopResult train_stage(Session& session, Stage& stage, const LoopOptions& options) {
  const auto outside = std::find_if(options.checkpoints.begin(), options.checkpoints.end(),
                                    [&](std::int64_t step) { return step < 1 || step > options.steps; });
  if (outside != options.checkpoints.end()) {
    throw Error({.where = "checkpoints",
                 .found = fmt::format("step {}", *outside),
                 .expected = fmt::format("steps from 1 to {}", options.steps)},
                ErrorKind::usage);
  }
  return Run(session, stage, options).run();
}

}  // namespace atelier
