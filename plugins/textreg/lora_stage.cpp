#include "plugins/textreg/lora_stage.h"

#include <ATen/core/grad_mode.h>

#include "framework/core/error.h"
#include "framework/methods/diffusion_loss.h"
#include "plugins/textreg/spec.h"
#include "plugins/textreg/text_calls.h"
#include "plugins/textreg/token.h"
#include "plugins/textreg/updates.h"

namespace atelier::textreg {
namespace {

class LoRAStage final : public Stage {
 public:
  LoRAStage(Settings settings, LoRALoss loss) : settings_(std::move(settings)), loss_(std::move(loss)) {}

  DataSpec data() const override { return settings_.data; }
  TrainSpec train() const override { return settings_.train; }
  std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override;
  void describe(const Photo& photo, Sample& sample, Draws& draws) override;
  StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override;
  Terms forward(const Batch& batch, const StepTensors& tensors) override;
  void save(ArtifactWriter& writer) const override;

 private:
  void attach_identifier(Session& session, const Start& start);
  void check_carried(const Start& start) const;
  [[nodiscard]] std::vector<ParamGroup> groups() const;
  void add_regularizers(Terms& terms, const Batch& batch, const StepTensors& tensors);
  [[nodiscard]] Term regularizer(const std::string& call, const std::vector<std::string>& layers, double weight,
                                 const Batch& batch, const StepTensors& tensors);

  const Settings settings_;
  const LoRALoss loss_;
  Session* session_ = nullptr;  // outlives the stage
  std::unique_ptr<TextCalls> calls_;
  std::vector<Parameter> rows_;  // the identifier, frozen
  Updates updates_;
  std::vector<std::string> layers_, keys_;
};

void LoRAStage::attach_identifier(Session& session, const Start& start) {
  const TokenRows initial = identifier_rows(session, settings_);
  const Start file =
      loss_.identifier_file ? Start(read_identifier(*loss_.identifier_file, session, settings_.placeholder)) : Start();
  const bool given = start.find(token_parameter("text_encoder", settings_.placeholder)).defined();
  const Start& source = given || !loss_.identifier_file ? start : file;
  for (const auto& tower : add_learned_token(session, source, settings_.placeholder, 1, initial)) {
    rows_.push_back(tower.front());
    rows_.back().tensor.requires_grad_(false);
  }
}

/// The trainer takes what the first stage's gradients add up to; without the switch there must be nothing to take.
void LoRAStage::check_carried(const Start& start) const {
  if (settings_.carry_gradients) return;
  for (const auto& [name, tensor] : start.tensors()) {
    if (!name.starts_with("carry.")) continue;
    throw Error({.where = name,
                 .found = "a gradient to carry",
                 .expected = "none: carry_ti_grads is false",
                 .advice = "set carry_ti_grads to true, or leave the tensor out"},
                ErrorKind::usage);
  }
}

std::vector<ParamGroup> LoRAStage::groups() const {
  std::vector<ParamGroup> groups{{.name = "unet",
                                  .parameters = updates_.unet,
                                  .learning_rate = settings_.learning_rate,
                                  .weight_decay = settings_.weight_decay}};
  if (updates_.text.empty()) return groups;
  groups.push_back({.name = "text_encoder",
                    .parameters = updates_.text,
                    .learning_rate = loss_.text_learning_rate,
                    .weight_decay = settings_.weight_decay});
  return groups;
}

std::vector<ParamGroup> LoRAStage::attach(Session& session, const Start& start, Draws& draws) {
  check_carried(start);
  session_ = &session;
  attach_identifier(session, start);
  updates_ = attach_updates(session, start, draws, settings_.lora);
  layers_ = unet_layers(session, settings_.lora.layers);
  keys_ = key_layers(layers_);
  calls_ = std::make_unique<TextCalls>(session, settings_, /*frozen=*/!settings_.lora.text);
  return groups();
}

void LoRAStage::describe(const Photo& photo, Sample& sample, Draws& draws) {
  const auto draw = [&](const char* object, const char* style, const std::string& phrase, const char* name) {
    return draw_prompt(settings_, settings_.style ? style : object, phrase, name, draws);
  };
  const bool own = photo.of_class && !photo.caption.empty();
  sample.caption = own              ? photo.caption
                   : photo.of_class ? draw(kObjectClassPrompts, kStyleClassPrompts, settings_.class_word, "caption")
                                    : draw(kObjectCaptions, kStyleCaptions, settings_.phrase, "caption");
  if (!loss_.text_reg) return;
  sample.texts["class"] = draw(kObjectClassPrompts, kStyleClassPrompts, settings_.class_word, "class_prompt");
  sample.texts["edit"] = draw(kObjectEditPrompts, kStyleCaptions, settings_.phrase, "edit_prompt");
}

StepTensors LoRAStage::per_step(const std::vector<Sample>& samples, Draws& draws) {
  StepTensors tensors;
  calls_->put(tensors, "caption", captions(samples), 0, draws);
  if (!loss_.text_reg) return tensors;
  calls_->put(tensors, "class", texts(samples, "class"), 2, draws);
  calls_->put(tensors, "edit", texts(samples, "edit"), 1, draws);
  return tensors;
}

/// Over the concept's rows: the images of the class bring no prompts of their own to keep silent on.
Term LoRAStage::regularizer(const std::string& call, const std::vector<std::string>& layers, double weight,
                            const Batch& batch, const StepTensors& tensors) {
  const at::AutoGradMode gradient(at::GradMode::is_enabled() && weight != 0.0);
  const Tensor context = calls_->take(tensors, call).context.narrow(0, 0, batch.instance_rows);
  return {.per_sample = mean_update_norm(*session_, layers, context), .weight = weight, .rows = Term::Rows::instance};
}

void LoRAStage::add_regularizers(Terms& terms, const Batch& batch, const StepTensors& tensors) {
  terms["r_class"] = regularizer("class", layers_, loss_.class_weight, batch, tensors);
  terms["r_edit"] = regularizer("edit", keys_, loss_.edit_weight, batch, tensors);
}

Terms LoRAStage::forward(const Batch& batch, const StepTensors& tensors) {
  const Tensor prediction = predict(*session_, batch, calls_->take(tensors, "caption"));
  Terms terms = diffusion_terms(prediction, batch, loss_.prior_weight);
  if (loss_.text_reg) add_regularizers(terms, batch, tensors);
  return terms;
}

void LoRAStage::save(ArtifactWriter& writer) const {
  for (const Parameter& row : rows_) writer.tensor(row.name, row.tensor);
  for (const Parameter& update : updates_.all()) writer.tensor(update.name, update.tensor);
  writer.note("placeholder", settings_.placeholder);
}

}  // namespace

std::unique_ptr<Stage> make_lora_stage(Settings settings, LoRALoss loss) {
  return std::make_unique<LoRAStage>(std::move(settings), std::move(loss));
}

}  // namespace atelier::textreg
