#include "framework/pretraining/base_trainer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <chrono>

#include "framework/core/error.h"
#include "framework/pretraining/base_snapshot.h"
#include "framework/pretraining/learned_network.h"
#include "framework/pretraining/step_feed.h"
#include "framework/training/adamw.h"
#include "framework/training/gradient_norm.h"
#include "framework/training/lr_schedule.h"

namespace atelier {
namespace {

constexpr std::int64_t kBetweenReads = 50;  // steps on a GPU, where reading waits for the device
constexpr double kBetweenSnapshots = 30.0;  // seconds on a GPU at least: writing one takes as long as many steps

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class BaseTrainer {
 public:
  BaseTrainer(Objective& objective, const BaseRecipe& recipe, const BaseTrainerOptions& options)
      : objective_(objective),
        recipe_(recipe),
        options_(options),
        network_(objective.parameters(), objective.wide(), options.placement, recipe.weight_decay),
        optimizer_(network_.parameters(), recipe.train),
        schedule_(recipe.train),
        snapshot_(options.snapshot, options.digest),
        on_cpu_(options.placement.device.is_cpu()) {
    if (recipe.ema_decay > 0.0) average_ = network_.parameters().values().clone();
    const auto device = at::TensorOptions().device(options.placement.device);
    loss_sum_ = at::zeros({}, device.dtype(at::kFloat));
    first_bad_step_ = at::full({}, -1, device.dtype(at::kLong));
  }

  BaseTrainerResult run();

 private:
  [[nodiscard]] std::int64_t steps() const { return optimizer_.steps(); }
  [[nodiscard]] TensorMap buffers() const;
  [[nodiscard]] std::int64_t load();
  [[nodiscard]] bool snapshot_due() const;
  void save();
  void step(const TensorMap& drawn);
  void note(const Tensor& loss, const Tensor& norm);
  void update_average();
  void report();
  void check_finite() const;
  [[nodiscard]] TensorMap published() const;

  Objective& objective_;
  const BaseRecipe& recipe_;
  const BaseTrainerOptions& options_;
  LearnedNetwork network_;
  AdamW optimizer_;
  LRSchedule schedule_;
  BaseSnapshot snapshot_;
  bool on_cpu_;
  Tensor average_;                    // [T]; undefined without a moving average
  Tensor loss_sum_, first_bad_step_;  // scalars on the device
  std::int64_t reported_ = 0;         // step of the last report
  double loss_ = 0.0;
  Clock::time_point reported_at_, saved_at_ = Clock::now();
};

TensorMap BaseTrainer::buffers() const {
  TensorMap buffers{{"values", network_.parameters().values()},
                    {"first", optimizer_.first_moment()},
                    {"second", optimizer_.second_moment()}};
  if (average_.defined()) buffers.emplace("average", average_);
  return buffers;
}

std::int64_t BaseTrainer::load() {
  const std::int64_t step = snapshot_.load(buffers());
  if (step == 0) return 0;
  optimizer_.restore(step, optimizer_.first_moment(), optimizer_.second_moment());
  network_.values_changed();
  return step;
}

bool BaseTrainer::snapshot_due() const {
  if (steps() % recipe_.snapshot_every != 0) return false;
  return on_cpu_ || seconds_since(saved_at_) >= kBetweenSnapshots;
}

void BaseTrainer::save() {
  check_finite();
  snapshot_.write({.step = steps(), .buffers = buffers()});
  saved_at_ = Clock::now();
}

void BaseTrainer::note(const Tensor& loss, const Tensor& norm) {
  loss_sum_ += loss;
  const Tensor finite = at::isfinite(loss).logical_and_(at::isfinite(norm));
  first_bad_step_ = at::where(finite.logical_or_(first_bad_step_ >= 0), first_bad_step_,
                              at::full({}, steps(), first_bad_step_.options()));
}

void BaseTrainer::update_average() {
  if (!average_.defined()) return;
  const auto t = static_cast<double>(steps());
  const double decay = std::min(recipe_.ema_decay, (1.0 + t) / (10.0 + t));
  average_.lerp_(network_.parameters().values(), 1.0 - decay);
}

void BaseTrainer::step(const TensorMap& drawn) {
  Tensor loss;
  {
    const at::AutoGradMode with_grad(true);
    loss = objective_.loss(drawn);
    loss.backward();
  }
  const at::NoGradGuard no_grad;
  network_.collect_gradients();
  const bool clipping = recipe_.train.max_grad_norm > 0.0;
  const Tensor norm = gradient_norm(network_.parameters(), clipping);
  if (clipping) clip_gradients_(network_.parameters(), norm, recipe_.train.max_grad_norm);
  note(loss.detach(), norm);
  const double rate = recipe_.learning_rate * schedule_.factor(steps(), recipe_.learning_rate);
  const std::vector<double> rates(network_.parameters().groups().size(), rate);
  optimizer_.step(rates, (first_bad_step_ >= 0).to(at::kFloat));
  network_.zero_gradients();
  network_.values_changed();
  update_average();
}

void BaseTrainer::check_finite() const {
  const auto bad = first_bad_step_.item<std::int64_t>();
  if (bad < 0) return;
  throw Error({.where = fmt::format("{}: step {}", recipe_.path.string(), bad),
               .found = "a loss or gradients that are not finite",
               .expected = "finite numbers",
               .advice = "use a smaller learning_rate, more lr_warmup_steps or a smaller max_grad_norm"});
}

void BaseTrainer::report() {
  check_finite();
  const auto made = static_cast<double>(steps() - reported_);
  if (made == 0.0) return;
  const double seconds = seconds_since(reported_at_);
  loss_ = loss_sum_.item<double>() / made;
  loss_sum_.zero_();
  reported_ = steps();
  reported_at_ = Clock::now();
  options_.on_progress({.step = steps(),
                        .steps = recipe_.steps,
                        .loss = loss_,
                        .steps_per_second = made / seconds,
                        .seconds_left = static_cast<double>(recipe_.steps - steps()) * seconds / made});
}

TensorMap BaseTrainer::published() const {
  TensorMap values = network_.named(average_.defined() ? average_ : network_.parameters().values());
  for (auto& [name, value] : values) value = value.to(at::kCPU, at::kHalf);
  return values;
}

BaseTrainerResult BaseTrainer::run() {
  BaseTrainerResult result;
  result.numbers = network_.parameters().trained_numbers();
  result.resumed_from = reported_ = load();
  reported_at_ = Clock::now();
  StepFeed feed(objective_, recipe_.seed, static_cast<std::int64_t>(recipe_.component), options_.placement.device,
                steps(), recipe_.steps);
  bool stopped = false;
  while (steps() < recipe_.steps && !stopped) {
    step(feed.next());
    const bool last = steps() >= recipe_.steps;
    const bool readable = on_cpu_ || steps() % kBetweenReads == 0;
    if (last || (readable && seconds_since(reported_at_) >= options_.report_seconds)) report();
    stopped = !last && options_.stop();
    if (!last && (stopped || snapshot_due())) save();
  }
  result.steps = steps();
  result.loss = loss_;
  result.done = !stopped;
  if (result.done) result.values = published();
  return result;
}

}  // namespace

BaseTrainerResult train_component(Objective& objective, const BaseRecipe& recipe, const BaseTrainerOptions& options) {
  return BaseTrainer(objective, recipe, options).run();
}

}  // namespace atelier
