#include "framework/methods/stage_settings.h"

#include <nlohmann/json.hpp>

#include "framework/config/option_builders.h"
#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {

Options options_of_stage(const MethodSpec& spec, std::string_view stage, const Json& resolved) {
  std::vector<std::string> known;
  for (const auto& candidate : spec.stages) {
    if (candidate.name == stage) {
      const auto reads = stage_reads(candidate, resolved);
      return {resolved, {reads.begin(), reads.end()}, spec.name + ": stage " + candidate.name};
    }
    known.push_back(candidate.name);
  }
  throw Error({.where = spec.name, .found = "no stage " + std::string(stage), .expected = "one of " + join(known)},
              ErrorKind::usage);
}

StageSpec trained_stage(const std::string& name, std::vector<std::string> reads, const std::string& steps) {
  StageSpec stage;
  stage.name = name;
  stage.reads = std::move(reads);
  for (auto& option : stage_option_names(name)) stage.reads.push_back(std::move(option));
  stage.steps.add = {steps};
  declare_schedules(stage);
  return stage;
}

void declare_schedules(StageSpec& stage) {
  std::vector<std::string> counts = stage.steps.add;
  counts.insert(counts.end(), stage.steps.subtract.begin(), stage.steps.subtract.end());
  for (const char* decaying : {"linear", "cosine", "cosine_with_restarts", "polynomial"}) {
    const Condition condition{.option = stage.name + ".lr_scheduler", .value = decaying};
    stage.depends_on_total_when.push_back(condition);
    stage.reads_when.push_back({.when = condition, .options = counts});
  }
}

TrainSpec read_train_spec(const Options& options, const std::string& stage, const std::string& steps) {
  const auto name = [&](const char* leaf) { return stage + "." + leaf; };
  const auto scheduler = options.text(name("lr_scheduler"));
  const bool decays = !steps.empty() && !scheduler.starts_with("constant");
  return {.batch = options.integer(name("train_batch_size")),
          .micro_batch = options.integer(name("micro_batch_size")),
          .loss_divisor = static_cast<double>(options.integer(name("gradient_accumulation_steps"))),
          .accumulation = options.integer(name("gradient_accumulation_steps")),
          .max_grad_norm = options.real(name("max_grad_norm")),
          .beta1 = options.real(name("adam_beta1")),
          .beta2 = options.real(name("adam_beta2")),
          .epsilon = options.real(name("adam_epsilon")),
          .lr_scheduler = scheduler,
          .lr_warmup_steps = options.integer(name("lr_warmup_steps")),
          .lr_total_steps = decays ? options.integer(steps) : 0,
          .lr_num_cycles = options.integer(name("lr_num_cycles")),
          .lr_power = options.real(name("lr_power")),
          .recompute_activations = options.declared(kGradientCheckpointing) && options.flag(kGradientCheckpointing)};
}

double read_learning_rate(const Options& options, const std::string& stage, const std::string& option) {
  const double rate = options.real(stage + "." + option);
  if (!options.flag(stage + ".scale_lr")) return rate;
  const auto rows =
      options.integer(stage + ".train_batch_size") * options.integer(stage + ".gradient_accumulation_steps");
  return rate * static_cast<double>(rows);
}

std::string read_initializer(const Options& options, const Concept& subject, const std::string& option) {
  const auto own = subject.initializer.empty() ? subject.class_word : subject.initializer;
  return options.optional_text(option).value_or(own);
}

bool read_tells_photos(const Options& options) {
  return options.declared(kMicroConditioning) && options.text(kMicroConditioning) == "photo";
}

double read_weight_decay(const Options& options, const std::string& stage) {
  return options.real(stage + ".adam_weight_decay");
}

}  // namespace atelier
