#include "plugins/dco/stage.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/methods/diffusion_loss.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/prompts.h"
#include "framework/models/base.h"
#include "framework/models/gradient_kernels.h"
#include "plugins/dco/objective.h"
#include "plugins/dco/token.h"

namespace atelier::dco {
namespace {

TrainingNoise noise_of(const Session& session) {
  TrainingNoise noise = read_training_noise(session.base().checkpoint().scheduler_config());
  noise.schedule = noise.schedule.to(session.base().placement().device);
  return noise;
}

class DcoStage final : public Stage {
 public:
  explicit DcoStage(Settings settings) : settings_(std::move(settings)) {}

  DataSpec data() const override { return settings_.data; }
  TrainSpec train() const override { return settings_.train; }
  std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override;
  void describe(const Photo& photo, Sample& sample, Draws& draws) override;
  StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override;
  Terms forward(const Batch& batch, const StepTensors& tensors) override;
  bool linear() const override { return settings_.loss.linear(); }
  Tensor combine(Reduced& reduced, const std::map<std::string, double>& weights) const override;
  void after_step(const StepInfo& info) override;
  void save(ArtifactWriter& writer) const override;

 private:
  /// Whether the base model reads other captions.
  [[nodiscard]] bool has_base_captions() const { return settings_.token && settings_.loss.has_reference(); }
  [[nodiscard]] bool token_learns() const { return token_ && token_->learns(); }
  void check_captions(const std::vector<Sample>& samples) const;
  [[nodiscard]] Tensor reference_errors(const Batch& batch, const TextCondition& text);

  const Settings settings_;
  Session* session_ = nullptr;  // outlives the stage
  std::vector<Parameter> updates_;
  std::optional<SubjectToken> token_;
  std::optional<Objective> objective_;
  std::optional<FrozenPrompts> frozen_;
};

std::vector<ParamGroup> DcoStage::attach(Session& session, const Start& start, Draws& draws) {
  session_ = &session;
  updates_ = attach_low_rank(session, start, draws, attention_layers(session), settings_.rank);
  objective_.emplace(settings_.loss, noise_of(session));
  frozen_.emplace(session, EncodeOptions{.pool_at_eos = settings_.pool_at_eos});
  std::vector<ParamGroup> groups{{.name = "lora",
                                  .parameters = updates_,
                                  .learning_rate = settings_.learning_rate,
                                  .weight_decay = settings_.weight_decay}};
  if (!settings_.token) return groups;
  token_.emplace(session, start, draws, *settings_.token);
  for (auto& group : token_->groups()) groups.push_back(std::move(group));
  return groups;
}

void DcoStage::describe(const Photo& photo, Sample& sample, Draws&) {
  const std::string& caption = photo.caption.empty() ? settings_.instance_prompt : photo.caption;
  sample.caption = with_phrase(caption, settings_.phrase);
  if (!has_base_captions()) return;
  sample.texts["base"] = with_phrase(photo.base_caption.empty() ? caption : photo.base_caption, settings_.class_word);
}

void DcoStage::check_captions(const std::vector<Sample>& samples) const {
  if (!settings_.token) return;
  for (const Sample& sample : samples) {
    if (sample.caption.find(settings_.token->placeholder) != std::string::npos) continue;
    throw Error({.where = "caption \"" + sample.caption + "\"",
                 .found = "no " + settings_.token->placeholder,
                 .expected = "the new token where the class noun would stand",
                 .advice = "write {} into the photo's caption, or choose recipe: style"},
                ErrorKind::usage);
  }
}

StepTensors DcoStage::per_step(const std::vector<Sample>& samples, Draws&) {
  check_captions(samples);
  StepTensors tensors;
  if (token_learns()) {
    put_prompts(tensors, *session_, "caption", captions(samples));
  } else {
    frozen_->put(tensors, "caption", captions(samples));
  }
  if (has_base_captions()) frozen_->put(tensors, "base", texts(samples, "base"));
  return tensors;
}

/// Without gradient, and made before the model's own graph, so that a step needs no more memory than the plain loss's.
Tensor DcoStage::reference_errors(const Batch& batch, const TextCondition& text) {
  const at::NoGradGuard no_grad;
  UNetCall call;
  call.adapters.skip = true;
  return objective_->errors(predict(*session_, batch, text, call), batch);
}

Terms DcoStage::forward(const Batch& batch, const StepTensors& tensors) {
  Tensor reference;
  // What other kernels round otherwise would be multiplied by beta.
  std::optional<GradientKernels> same_kernels;
  if (settings_.loss.has_reference()) {
    same_kernels.emplace();
    reference = reference_errors(batch, FrozenPrompts::take(tensors, has_base_captions() ? "base" : "caption"));
  }
  const TextCondition text =
      token_learns() ? session_->encode(prompt_ids(tensors, "caption"), {.pool_at_eos = settings_.pool_at_eos})
                     : FrozenPrompts::take(tensors, "caption");
  return objective_->terms(objective_->errors(predict(*session_, batch, text), batch), reference);
}

Tensor DcoStage::combine(Reduced& reduced, const std::map<std::string, double>& weights) const {
  return linear() ? Stage::combine(reduced, weights) : objective_->combine(reduced);
}

void DcoStage::after_step(const StepInfo&) {
  if (token_learns()) token_->restore_norms_();
}

void DcoStage::save(ArtifactWriter& writer) const {
  for (const Parameter& update : updates_) writer.tensor(update.name, update.tensor);
  if (!token_) return writer.note("phrase", settings_.phrase);
  for (const Parameter& row : token_->rows()) writer.tensor(row.name, row.tensor);
  writer.note("placeholder", settings_.token->placeholder);
  writer.note("ti_update", token_->learns() ? "trained" : "frozen");
  writer.note("pool", settings_.pool_at_eos ? "eos" : "argmax");
}

}  // namespace

bool is_attention_projection(std::string_view layer) {
  const auto ends = [&](std::string_view leaf) { return layer.ends_with(leaf); };
  return ends(".to_q") || ends(".to_k") || ends(".to_v") || ends(".to_out.0");
}

std::vector<std::string> attention_layers(Session& session) {
  auto layers = session.layers("unet.*");
  std::erase_if(layers, [](const std::string& layer) { return !is_attention_projection(layer); });
  std::sort(layers.begin(), layers.end());
  return layers;
}

std::unique_ptr<Stage> make_stage(Settings settings) { return std::make_unique<DcoStage>(std::move(settings)); }

}  // namespace atelier::dco
