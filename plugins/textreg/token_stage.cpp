#include "plugins/textreg/token_stage.h"

#include <ATen/ops/zeros_like.h>

#include "framework/methods/diffusion_loss.h"
#include "plugins/textreg/identifier.h"
#include "plugins/textreg/spec.h"
#include "plugins/textreg/text_calls.h"
#include "plugins/textreg/token.h"
#include "plugins/textreg/updates.h"

namespace atelier::textreg {
namespace {

class TokenStage final : public Stage {
 public:
  TokenStage(Settings settings, bool decay) : settings_(std::move(settings)), decay_(decay) {}

  DataSpec data() const override { return settings_.data; }
  TrainSpec train() const override { return settings_.train; }
  std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override;
  void describe(const Photo& photo, Sample& sample, Draws& draws) override;
  StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override;
  Terms forward(const Batch& batch, const StepTensors& tensors) override;
  void after_step(const StepInfo& info) override;
  void save(ArtifactWriter& writer) const override;

 private:
  const Settings settings_;
  const bool decay_;
  Session* session_ = nullptr;  // outlives the stage
  std::unique_ptr<TextCalls> calls_;
  std::vector<Parameter> rows_;     // one for each text encoder, [D]
  std::vector<Tensor> norms_;       // of what each started from: scalars
  std::vector<Parameter> carried_;  // updates whose gradients pile up
};

std::vector<ParamGroup> TokenStage::attach(Session& session, const Start& start, Draws& draws) {
  session_ = &session;
  const TokenRows initial = identifier_rows(session, settings_);
  for (const auto& tower : add_learned_token(session, start, settings_.placeholder, 1, initial)) {
    rows_.push_back(tower.front());
    const Tensor& row = initial[norms_.size()];
    norms_.push_back(row.to(rows_.back().tensor.scalar_type()).norm());
  }
  calls_ = std::make_unique<TextCalls>(session, settings_, /*frozen=*/false);
  std::vector<ParamGroup> groups{{.name = "token",
                                  .parameters = rows_,
                                  .learning_rate = settings_.learning_rate,
                                  .weight_decay = settings_.weight_decay}};
  if (!settings_.carry_gradients) return groups;
  carried_ = attach_updates(session, start, draws, settings_.lora).all();
  groups.push_back({.name = "carried", .parameters = carried_, .clip = false, .role = ParamGroup::Role::accumulated});
  return groups;
}

void TokenStage::describe(const Photo&, Sample& sample, Draws& draws) {
  const char* list = settings_.style ? kStyleCaptions : kObjectCaptions;
  sample.caption = draw_prompt(settings_, list, settings_.phrase, "caption", draws);
}

StepTensors TokenStage::per_step(const std::vector<Sample>& samples, Draws& draws) {
  StepTensors tensors;
  calls_->put(tensors, "caption", captions(samples), 0, draws);
  return tensors;
}

Terms TokenStage::forward(const Batch& batch, const StepTensors& tensors) {
  return diffusion_terms(predict(*session_, batch, calls_->take(tensors, "caption")), batch);
}

void TokenStage::after_step(const StepInfo& info) {
  if (!decay_) return;
  for (std::size_t i = 0; i < rows_.size(); ++i) decay_norm_(rows_[i].tensor, norms_[i], info.learning_rates.front());
}

void TokenStage::save(ArtifactWriter& writer) const {
  for (const Parameter& row : rows_) writer.tensor(row.name, row.tensor);
  for (const Parameter& update : carried_) {
    const Tensor gradient = update.tensor.grad();
    writer.aux(update.name, update.tensor);
    writer.aux("carry." + update.name, gradient.defined() ? gradient : at::zeros_like(update.tensor));
  }
  writer.note("placeholder", settings_.placeholder);
}

}  // namespace

std::unique_ptr<Stage> make_token_stage(Settings settings, bool decay) {
  return std::make_unique<TokenStage>(std::move(settings), decay);
}

}  // namespace atelier::textreg
