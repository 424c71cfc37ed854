#include "plugins/attndreambooth/stage.h"

#include <fmt/format.h>

#include <functional>
#include <optional>

#include "framework/methods/artifact_checks.h"
#include "framework/methods/diffusion_loss.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/prompts.h"
#include "framework/methods/trainable.h"
#include "framework/models/session.h"
#include "framework/text/clip_tokenizer.h"
#include "plugins/attndreambooth/captions.h"
#include "plugins/attndreambooth/regularizer.h"
#include "plugins/attndreambooth/spec.h"

namespace atelier::attndreambooth {
namespace {

class AttnDreamBoothStage final : public Stage {
 public:
  explicit AttnDreamBoothStage(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] DataSpec data() const override { return settings_.data; }
  [[nodiscard]] TrainSpec train() const override { return settings_.train; }
  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override;
  void describe(const Photo& photo, Sample& sample, Draws& draws) override;
  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override;
  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override;
  void save(ArtifactWriter& writer) const override;

 private:
  [[nodiscard]] bool token_learns() const { return settings_.trains == Settings::Trains::embedding; }
  void attach_token(Session& session, const Start& start);
  [[nodiscard]] std::function<Tensor(std::string_view, const Tensor&)> summary(const Batch& batch,
                                                                               const StepTensors& tensors) const;

  const Settings settings_;
  Session* session_ = nullptr;           // outlives the stage
  std::optional<FrozenPrompts> frozen_;  // while the token does not learn: its captions are encoded once
  std::vector<Parameter> token_;         // its vectors, [D] each
  std::vector<Parameter> weights_;       // of the UNet, those that learn
};

void AttnDreamBoothStage::attach_token(Session& session, const Start& start) {
  std::vector<TokenRows> rows;
  for (const Tensor& row : initial_rows(session, settings_.initializer, settings_.vectors)) rows.push_back({row});
  token_ = add_learned_token(session, start, settings_.placeholder, rows).front();
  if (token_learns()) return;
  for (const Parameter& vector : token_) vector.tensor.requires_grad_(false);
  frozen_.emplace(session);
}

std::vector<ParamGroup> AttnDreamBoothStage::attach(Session& session, const Start& start, Draws&) {
  require_one_encoder(session, kMethod, "the method finds its token in the one encoder whose states the UNet reads");
  session_ = &session;
  attach_token(session, start);
  if (!token_learns()) {
    const bool all = settings_.trains == Settings::Trains::identity;
    weights_ = unfreeze(session, start, all ? "unet.*" : "unet.*attn2*");
  }
  return {{.name = token_learns() ? "token" : "unet",
           .parameters = token_learns() ? token_ : weights_,
           .learning_rate = settings_.learning_rate,
           .weight_decay = settings_.weight_decay}};
}

void AttnDreamBoothStage::describe(const Photo& photo, Sample& sample, Draws&) {
  sample.caption = photo.of_class ? settings_.class_prompt : settings_.instance_prompt;
}

StepTensors AttnDreamBoothStage::per_step(const std::vector<Sample>& samples, Draws&) {
  StepTensors tensors;
  tensors.rows["position"] = placeholder_positions(*session_, samples, settings_.placeholder, settings_.vectors);
  if (frozen_) {
    frozen_->put(tensors, "caption", captions(samples));
  } else {
    put_captions(tensors, *session_, samples);
  }
  return tensors;
}

/// By value: it may be called again in the backward pass.
std::function<Tensor(std::string_view, const Tensor&)> AttnDreamBoothStage::summary(const Batch& batch,
                                                                                    const StepTensors& tensors) const {
  const auto rows = batch.instance_rows;
  return [rows, positions = tensors.rows.at("position").narrow(0, 0, rows), vectors = settings_.vectors,
          var = settings_.regularizer.var != 0.0](std::string_view, const Tensor& probabilities) {
    return attention_gaps(probabilities.narrow(0, 0, rows), positions, vectors, var);
  };
}

Terms AttnDreamBoothStage::forward(const Batch& batch, const StepTensors& tensors) {
  const TextCondition text = frozen_ ? FrozenPrompts::take(tensors, "caption") : encode_captions(tensors, *session_);
  AttentionSummaries gaps;
  UNetCall call;
  if (settings_.regularizer.any()) {
    gaps.summarise = summary(batch, tensors);
    call.summaries = &gaps;
  }
  Terms terms = diffusion_terms(predict(*session_, batch, text, call), batch, settings_.prior_weight);
  terms.merge(regularizer_terms(gaps.layers, settings_.regularizer));
  return terms;
}

void AttnDreamBoothStage::save(ArtifactWriter& writer) const {
  for (const auto& part : {token_, weights_}) {
    for (const auto& [name, tensor] : part) writer.tensor(name, tensor);
  }
  writer.note("placeholder_token", settings_.placeholder);
  writer.note("category", settings_.class_word);
  const auto pieces = session_->tokenizer(0).tokens(settings_.class_word).size();
  if (pieces > 1) {
    writer.note("warning",
                fmt::format("the class word is {} tokens; attention is compared with the first alone", pieces));
  }
}

}  // namespace

std::unique_ptr<Stage> make_stage(Settings settings) {
  return std::make_unique<AttnDreamBoothStage>(std::move(settings));
}

}  // namespace atelier::attndreambooth
