#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/methods/loader.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/models/vae.h"
#include "framework/training/trainer.h"
#include "framework/worker/job.h"
#include "framework/worker/probe_inputs.h"
#include "framework/worker/sample_request.h"
#include "framework/worker/tensor_files.h"

namespace atelier::worker {
namespace {

/// Takes what a stage publishes, for its names and for what it hands on.
class Published final : public ArtifactWriter {
 public:
  void tensor(const std::string& name, const Tensor& value) override { tensors[name] = value; }
  void aux(const std::string& name, const Tensor& value) override { tensors[name] = value; }
  void note(const std::string&, const std::string&) override {}
  TensorMap tensors;
};

/// One method's stage as the job wants it.
class Subject {
 public:
  explicit Subject(const Job& job)
      : plugin_(MethodPlugin::open(job.text("plugin"))),
        method_(plugin_.create()),
        values_(*job.find("options")),
        concept_{.name = "probe", .class_word = job.text("class_word"), .initializer = {}, .kind = "object"} {}

  [[nodiscard]] const std::vector<StageSpec>& stages() const { return plugin_.spec().stages; }
  [[nodiscard]] std::size_t place_of(const std::string& name) const {
    for (std::size_t i = 0; i < stages().size(); ++i) {
      if (stages()[i].name == name) return i;
    }
    throw Error({.where = "job: stage", .found = name, .expected = "a stage of " + plugin_.spec().name});
  }
  [[nodiscard]] bool has_class_rows(const StageSpec& spec) const {
    return !spec.class_images_when.empty() && hold(spec.class_images_when, values_);
  }
  [[nodiscard]] std::unique_ptr<Stage> make(const StageSpec& spec) const {
    const auto reads = stage_reads(spec, values_);
    const Options options(values_, {reads.begin(), reads.end()},
                          fmt::format("{}: stage {}", plugin_.spec().name, spec.name));
    PromptLists lists;  // captions are given, so a list only has to be there
    for (const auto& id : spec.lists) lists[id] = {"{}"};
    return method_->stage(spec.name, options, concept_, lists);
  }

 private:
  MethodPlugin plugin_;
  std::shared_ptr<const Method> method_;
  Json values_;
  Concept concept_;
};

/// "class" -> "class_prompts", "base" -> "base_captions".
std::string metadata_name(const std::string& text) { return text == "base" ? "base_captions" : text + "_prompts"; }

/// The further texts that the stage gives a sample.
std::vector<std::string> text_names(Stage& stage) {
  RandomDraws draws({});
  Sample sample;
  stage.describe({.path = {}, .caption = "a photo", .base_caption = "a photo"}, sample, draws);
  std::vector<std::string> names;
  for (const auto& [name, text] : sample.texts) names.push_back(name);
  return names;
}

/// The steps of one input file.
class MethodProbe {
 public:
  MethodProbe(const Subject& subject, std::size_t place, const std::shared_ptr<const Base>& base,
              const std::string& path)
      : subject_(subject), place_(place), base_(base), session_(base), inputs_(path) {}

  NamedTensors run() {
    const auto stage = subject_.make(spec());
    const Start start = read_start();
    RandomDraws initial({.seed = 0, .stage = static_cast<std::int64_t>(place_), .step = -1, .slot = -1});
    Trainer trainer(session_, *stage, start, initial);
    check_start(start, *stage, trainer);
    texts_ = text_names(*stage);
    trainer.on_gradients([this](const FlatParameters& parameters) { record_gradients(parameters); });
    const auto steps = inputs_.steps();
    for (step_ = 0; step_ < steps; ++step_) make_step(trainer);
    inputs_.finish(fmt::format("the inputs of steps 0 to {}", steps - 1));
    finish(*stage, trainer);
    return std::move(result_);
  }

 private:
  [[nodiscard]] const StageSpec& spec() const { return subject_.stages()[place_]; }
  [[nodiscard]] std::string name(const std::string& leaf) const { return fmt::format("batch.{}.{}", step_, leaf); }

  Start read_start() {
    TensorMap tensors = inputs_.all("init.", /*keep=*/false);
    tensors.merge(inputs_.all("carry.", /*keep=*/true));
    return Start(std::move(tensors), base_->placement().device);
  }

  /// Every start must belong to a parameter of the method; those of other stages are looked for only when needed.
  void check_start(const Start& start, const Stage& stage, const Trainer& trainer) const {
    std::set<std::string> known;
    add_names(stage, trainer, known);
    for (const auto& [name, tensor] : start.tensors()) {
      if (known.contains(name)) continue;
      if (!name.starts_with("carry.") && other_stages_have(name, start)) continue;
      refuse_start(name, known);
    }
  }

  static void add_names(const Stage& stage, const Trainer& trainer, std::set<std::string>& known) {
    Published published;
    stage.save(published);
    for (const auto& [name, tensor] : published.tensors) known.insert(name);
    for (const auto& slot : trainer.parameters().slots()) {
      known.insert(slot.parameter.name);
      known.insert("carry." + slot.parameter.name);
    }
  }

  bool other_stages_have(const std::string& name, const Start& start) const {
    for (std::size_t i = 0; i < subject_.stages().size(); ++i) {
      if (i == place_) continue;
      Session session(base_);
      const auto stage = subject_.make(subject_.stages()[i]);
      RandomDraws initial({.stage = static_cast<std::int64_t>(i), .step = -1, .slot = -1});
      const Trainer trainer(session, *stage, without_carried(start), initial);
      std::set<std::string> known;
      add_names(*stage, trainer, known);
      if (known.contains(name)) return true;
    }
    return false;
  }

  Start without_carried(const Start& start) const {
    TensorMap tensors = start.tensors();
    std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with("carry."); });
    return Start(std::move(tensors), base_->placement().device);
  }

  [[noreturn]] void refuse_start(const std::string& name, const std::set<std::string>& known) const {
    const bool carried = name.starts_with("carry.");
    std::string expected;
    for (const auto& one : known) {
      if (one.starts_with("carry.") == carried)
        expected += (expected.empty() ? "" : ", ") + std::string(carried ? "" : "init.") + one;
    }
    throw Error({.where = inputs_.path(),
                 .found = fmt::format("an unknown tensor {}{}", carried ? "" : "init.", name),
                 .expected = "a parameter of the method: " + expected.substr(0, 400)});
  }

  Tensor read_latents() {
    const bool pixels = inputs_.has(name("pixel_values"));
    if (!pixels) return inputs_.take(name("latents"), "[B, 4, h, w]", 4);
    const Tensor values = inputs_.take(name("pixel_values"), "[B, 3, H, W]", 4);
    const at::NoGradGuard no_grad;
    const Placement& placement = base_->placement();
    return session_.vae().encode(values.to(placement.device, placement.dtype)).mean *
           session_.vae().config().scaling_factor;
  }

  BatchInputs read_batch() {
    BatchInputs batch;
    batch.latents = read_latents();
    batch.noise = inputs_.take(name("noise"), "[B, 4, h, w], as the latents", 4);
    batch.timesteps = inputs_.take(name("timesteps"), "[B]", 1, /*integral=*/true).to(at::kLong);
    batch.mask = inputs_.optional(name("mask"), "[B, 1, h, w]", 4);
    batch.time_ids = base_->is_sdxl() ? inputs_.take(name("time_ids"), "[B, 6]", 2)
                                      : inputs_.optional(name("time_ids"), "[B, 6]", 2);
    check_rows(batch);
    read_samples(batch);
    return batch;
  }

  void check_rows(BatchInputs& batch) const {
    const auto rows = batch.latents.size(0);
    const auto refuse = [&](const char* leaf, const Tensor& found, const std::string& expected) {
      throw Error({.where = inputs_.path() + ": " + name(leaf),
                   .found = describe(found.sizes(), found.scalar_type()),
                   .expected = expected});
    };
    if (batch.noise.sizes() != batch.latents.sizes()) {
      refuse("noise", batch.noise, describe(batch.latents.sizes(), at::kFloat));
    }
    if (batch.timesteps.size(0) != rows) refuse("timesteps", batch.timesteps, fmt::format("[{}] int64", rows));
    const bool halves = subject_.has_class_rows(spec());
    if (halves && rows % 2 != 0)
      refuse("noise", batch.noise, "an even number of rows: the concept's half, the class's");
    batch.instance_rows = halves ? rows / 2 : rows;
  }

  void read_samples(BatchInputs& batch) {
    const auto captions = inputs_.texts(name("captions"), batch.size());
    for (const auto& caption : captions) batch.samples.push_back({.caption = caption, .texts = {}});
    for (const auto& text : texts_) {
      const auto values = inputs_.texts(name(metadata_name(text)), batch.size());
      for (std::size_t i = 0; i < values.size(); ++i) batch.samples[i].texts[text] = values[i];
    }
  }

  void make_step(Trainer& trainer) {
    const BatchInputs batch = read_batch();
    ProbeDraws draws(inputs_, fmt::format("batch.{}.", step_));
    const StepResult step = trainer.step(batch, draws);
    draws.finish();
    const auto put = [&](const std::string& leaf, const Tensor& value) {
      result_.tensors[leaf] = as_output(value).clone();
    };
    put(fmt::format("loss.{}", step_), step.loss);
    put(fmt::format("grad_norm.{}", step_), step.grad_norm);
    for (const auto& [term, value] : step.terms) put(fmt::format("loss.{}.{}", step_, term), value);
    result_.metadata["weights"] = Json(step.weights).dump();
  }

  void record_gradients(const FlatParameters& parameters) {
    for (const auto& slot : parameters.slots()) {
      if (!parameters.trained(slot)) continue;
      const Tensor gradient = FlatParameters::view(parameters.gradients(), slot);
      result_.tensors[fmt::format("grad.{}.{}", step_, slot.parameter.name)] = as_output(gradient).clone();
    }
  }

  void finish(const Stage& stage, const Trainer& trainer) {
    if (const auto bad = trainer.first_bad_step(); bad >= 0) {
      throw Error({.where = fmt::format("{}: step {}", inputs_.path(), bad),
                   .found = "a loss or gradient that is not finite",
                   .expected = "finite numbers"});
    }
    for (const auto& slot : trainer.parameters().slots()) {
      if (!trainer.parameters().trained(slot)) continue;
      result_.tensors["param." + slot.parameter.name] = as_output(slot.parameter.tensor.detach()).clone();
    }
    Published published;
    stage.save(published);
    for (const auto& [name, value] : published.tensors) {
      if (name.starts_with("carry.")) result_.tensors[name] = as_output(value.detach()).clone();
    }
  }

  const Subject& subject_;  // outlives this
  std::size_t place_;
  std::shared_ptr<const Base> base_;
  Session session_;
  ProbeInputs inputs_;
  std::vector<std::string> texts_;
  std::int64_t step_ = 0;
  NamedTensors result_;
};

}  // namespace

void run_probe_method(const Job& job) {
  const Subject subject(job);
  const auto place = subject.place_of(job.text("stage"));
  const auto checkpoint = std::make_shared<const Checkpoint>(open_checkpoint(job));
  const auto base = std::make_shared<const Base>(checkpoint, job.placement());
  const auto in = job.texts("in");
  const auto out = job.texts("out");
  std::vector<NamedTensors> results;
  for (const auto& path : in) results.push_back(MethodProbe(subject, place, base, path).run());
  for (std::size_t i = 0; i < out.size(); ++i) write_named_tensors(out[i], results[i]);
}

}  // namespace atelier::worker
