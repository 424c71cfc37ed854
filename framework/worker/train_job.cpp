#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/methods/stage_settings.h"
#include "framework/models/session.h"
#include "framework/tensor/devices.h"
#include "framework/training/evaluation.h"
#include "framework/training/loop.h"
#include "framework/worker/artifact_object.h"
#include "framework/worker/image_set.h"
#include "framework/worker/method_of_job.h"
#include "framework/worker/preview.h"
#include "framework/worker/recorded_losses.h"
#include "framework/worker/stage_jobs.h"
#include "framework/worker/stop.h"
#include "framework/worker/train_request.h"

namespace atelier::worker {
namespace {

/// Training of one stage, and what it publishes on the way.
class StageTraining {
 public:
  StageTraining(JobRun& run, const TrainRequest& request)
      : run_(run),
        request_(request),
        plugin_(plugin_of(run.job())),
        method_(plugin_.create()),
        session_(run.base()),
        stage_(make_stage()),
        start_(start_from_inputs()) {}

  void train();

 private:
  [[nodiscard]] std::unique_ptr<Stage> make_stage() const;
  [[nodiscard]] Start start_from_inputs() const;
  [[nodiscard]] std::vector<Photo> class_photos();
  [[nodiscard]] LoopOptions loop_options();
  void train_nothing();
  void attached(const Trainer& trainer);
  void stepped(const TrainProgress& progress);
  void publish(std::int64_t step, const Stage& stage);
  [[nodiscard]] Json summary(const Stage& stage, std::int64_t step);
  [[nodiscard]] Json evaluate(Session& session, Stage& stage);
  [[nodiscard]] Json evaluate_untrained();

  JobRun& run_;
  const TrainRequest& request_;
  MethodPlugin plugin_;
  std::shared_ptr<const Method> method_;
  Session session_;
  std::unique_ptr<Stage> stage_;
  Start start_;
  std::optional<Preview> preview_;
  std::vector<ImageSet> class_sets_;  // generated images of the class: photos are views of them
  LossRecord losses_;
  Json loss_before_;
  std::int64_t trained_numbers_ = 0;
};

std::unique_ptr<Stage> StageTraining::make_stage() const {
  const Options options = options_of_stage(plugin_.spec(), request_.stage, request_.options);
  return method_->stage(request_.stage, options, request_.subject, request_.lists);
}

Start StageTraining::start_from_inputs() const {
  TensorMap tensors;
  for (const auto& [name, key] : request_.inputs) {
    const auto record = find_input(run_.store(), key, "input " + name);
    for (const auto& [tensor, value] : ArtifactObject::read(run_.store().object_path(record.object)).all()) {
      tensors[tensor] = value;
    }
  }
  return Start(std::move(tensors), session_.base().placement().device);
}

/// Those of the job, then the generated ones, in the order of their sets.
std::vector<Photo> StageTraining::class_photos() {
  std::vector<Photo> photos = request_.class_photos;
  for (const std::string& key : request_.class_sets) {
    const auto path = run_.store().object_path(find_input(run_.store(), key, "images of the class").object);
    class_sets_.push_back(ImageSet::open(path));
    for (const ImageSet::Entry& entry : class_sets_.back().entries()) {
      photos.push_back({.path = fmt::format("{}: {}", path.string(), entry.name),
                        .caption = {},
                        .base_caption = {},
                        .of_class = true,
                        .bytes = entry.bytes});
    }
  }
  return photos;
}

/// The mean loss over fixed pictures, timesteps and noise; null where it is not asked for, and for a stage without that
/// term.
Json StageTraining::evaluate(Session& session, Stage& stage) {
  if (request_.fixed_loss == 0) return nullptr;
  try {
    return evaluation_loss(session, stage,
                           {.photos = request_.photos, .draws = request_.fixed_loss, .seed = request_.seed});
  } catch (const Error& error) {
    run_.note("warning", error.what());
    return nullptr;
  }
}

/// The same of the stage before its first step, when the session is past it.
Json StageTraining::evaluate_untrained() {
  if (request_.fixed_loss == 0) return nullptr;
  Session session(run_.base());
  const auto stage = make_stage();
  RandomDraws draws({.seed = request_.seed, .stage = request_.ordinal, .step = -1, .slot = -1});
  const Trainer trainer(session, *stage, start_, draws);
  return evaluate(session, *stage);
}

void StageTraining::attached(const Trainer& trainer) {
  run_.begin_work();
  trained_numbers_ = trainer.parameters().trained_numbers();
  if (trainer.steps() > 0) {
    run_.note("info", fmt::format("continued from the snapshot at step {}", trainer.steps()));
    loss_before_ = evaluate_untrained();
  } else {
    loss_before_ = evaluate(session_, *stage_);
    if (request_.steps_wanted(run_.missing()).contains(0)) publish(0, *stage_);
  }
  run_.progress(trainer.steps(), request_.steps, "training");  // the first step begins
}

void StageTraining::stepped(const TrainProgress& progress) {
  losses_.append(*progress.result);
  if (run_.progress_due(progress.done, progress.total)) {
    run_.progress(progress.done, progress.total, "training", progress.loss());
  }
  if (preview_) preview_->after_step(progress.done);
}

Json StageTraining::summary(const Stage& stage, std::int64_t step) {
  losses_.flush();
  const auto& series = losses_.series();
  const auto loss = series.find("loss");
  Json summary{{"steps", step},
               {"losses", run_.store().put(losses_json(losses_).dump())},
               {"eval_loss_before", loss_before_},
               {"seconds", run_.seconds()},
               {"peak_memory", peak_memory()},
               {"trained_parameters", trained_numbers_}};
  summary["final_loss"] = loss == series.end() || loss->second.empty() ? Json() : Json(loss->second.back());
  summary["eval_loss_after"] = &stage == stage_.get() && step > 0 ? evaluate(session_, *stage_) : loss_before_;
  return summary;
}

void StageTraining::publish(std::int64_t step, const Stage& stage) {
  const at::NoGradGuard no_grad;
  for (const JobOutput& output : run_.missing()) {
    if (request_.step_of(output) != step) continue;
    ArtifactObject object{.method = plugin_.spec().name,
                          .stage = request_.stage,
                          .artifact = {.tensors = {}, .notes = {}, .step = step},
                          .aux = {}};
    ObjectWriter writer(object);
    stage.save(writer);
    const std::string digest = object.store_in(run_.store());
    Json facts = summary(stage, step);
    facts["bytes"] = std::filesystem::file_size(run_.store().object_path(digest));
    run_.publish(output, digest, facts);
  }
}

LoopOptions StageTraining::loop_options() {
  const auto wanted = request_.steps_wanted(run_.missing());
  LoopOptions options;
  options.seed = request_.seed;
  options.ordinal = request_.ordinal;
  options.steps = *wanted.rbegin();
  for (const std::int64_t step : wanted) {
    if (step > 0) options.checkpoints.push_back(step);
  }
  options.start = start_;
  options.photos = request_.photos;
  options.class_photos = class_photos();
  options.snapshot = request_.snapshot;
  options.stop = [] { return stop_requested(); };
  options.on_attached = [this](const Trainer& trainer) { attached(trainer); };
  options.on_split = [this](std::int64_t step, std::int64_t rows) {
    run_.note("warning",
              fmt::format("out of memory in step {}: done again in pieces of {} rows, with the same loss and "
                          "gradient of the whole batch",
                          step, rows));
  };
  options.on_step = [this](const TrainProgress& progress) { stepped(progress); };
  options.on_checkpoint = [this](std::int64_t step, const Stage& stage) { publish(step, stage); };
  return options;
}

/// For the state before the first step alone.
void StageTraining::train_nothing() {
  RandomDraws draws({.seed = request_.seed, .stage = request_.ordinal, .step = -1, .slot = -1});
  const Trainer trainer(session_, *stage_, start_, draws);
  attached(trainer);
}

void StageTraining::train() {
  if (*request_.steps_wanted(run_.missing()).rbegin() == 0) return train_nothing();
  const LoopOptions options = loop_options();
  restore_losses(losses_, options.snapshot, options.checkpoints);
  if (request_.preview && !run_.again())
    preview_.emplace(run_, session_, *method_, plugin_.spec().sampler, *request_.preview);
  const LoopResult result = train_stage(session_, *stage_, options);
  if (!result.done) run_.check_stop();
  if (result.micro_batch > 0) run_.note("info", fmt::format("computed {} rows at once", result.micro_batch));
}

}  // namespace

void run_train_job(JobRun& run) {
  const TrainRequest request = TrainRequest::from(run);
  StageTraining(run, request).train();
}

}  // namespace atelier::worker
