#include "plugins/dreambooth_lora/lora_stage.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/methods/diffusion_loss.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/prompts.h"
#include "framework/models/base.h"
#include "framework/models/clip_text.h"
#include "plugins/dreambooth_lora/layers.h"

namespace atelier::dreambooth_lora {
namespace {

/// What the layer's name begins with where nothing reads the layer: SDXL takes the states before its first text
/// encoder's last one. "": there is no such layer.
std::string unread_layers(Session& session) {
  if (!session.base().is_sdxl()) return "";
  return fmt::format("text_encoder.text_model.encoder.layers.{}.", session.text(0).config().layers - 1);
}

class LoRAStage final : public Stage {
 public:
  explicit LoRAStage(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] DataSpec data() const override { return settings_.data; }
  [[nodiscard]] TrainSpec train() const override { return settings_.train; }
  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override;
  void describe(const Photo& photo, Sample& sample, Draws& draws) override;
  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override;
  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override;
  void save(ArtifactWriter& writer) const override;

 private:
  [[nodiscard]] double scale() const { return settings_.alpha / static_cast<double>(settings_.rank); }
  [[nodiscard]] ParamGroup adapters(const char* name, const AdapterSettings& settings,
                                    const std::vector<std::string>& layers, const Start& start, Draws& draws);
  void add_text(std::vector<ParamGroup>& groups, const Start& start, Draws& draws);
  [[nodiscard]] ParamGroup token(const TokenSettings& settings, const Start& start);
  [[nodiscard]] TextCondition text(const StepTensors& tensors);

  const Settings settings_;
  Session* session_ = nullptr;            // outlives the stage
  std::optional<FrozenPrompts> prompts_;  // while nothing in the text encoders learns
  std::vector<Parameter> updates_, rows_;
  Tensor snr_weights_;  // [T] float32 on the device; undefined without snr_gamma
};

ParamGroup LoRAStage::adapters(const char* name, const AdapterSettings& settings,
                               const std::vector<std::string>& layers, const Start& start, Draws& draws) {
  ParamGroup group{.name = name,
                   .parameters = attach_low_rank(*session_, start, draws, layers, settings_.rank, scale()),
                   .learning_rate = settings.learning_rate,
                   .weight_decay = settings.weight_decay};
  updates_.insert(updates_.end(), group.parameters.begin(), group.parameters.end());
  return group;
}

/// Updates without a gradient are left alone by PyTorch's optimizers: no decay either.
void LoRAStage::add_text(std::vector<ParamGroup>& groups, const Start& start, Draws& draws) {
  auto layers = ending_with(session_->layers("text_encoder*", true), settings_.text.modules, "text_target_modules");
  const auto prefix = unread_layers(*session_);
  const auto unread = std::stable_partition(layers.begin(), layers.end(), [&](const std::string& layer) {
    return prefix.empty() || !layer.starts_with(prefix);
  });
  const std::vector<std::string> idle(unread, layers.end());
  layers.erase(unread, layers.end());
  groups.push_back(adapters("text_encoder", settings_.text, layers, start, draws));
  AdapterSettings still = settings_.text;
  still.weight_decay = 0.0;
  if (!idle.empty()) groups.push_back(adapters("text_encoder: not read", still, idle, start, draws));
}

ParamGroup LoRAStage::token(const TokenSettings& settings, const Start& start) {
  const auto rows = initializer_rows(*session_, settings.initializer, "initializer_token");
  for (auto& tower : add_learned_token(*session_, start, settings.placeholder, 1, rows)) {
    rows_.push_back(std::move(tower.front()));
  }
  return {.name = "token",
          .parameters = rows_,
          .learning_rate = settings.learning_rate,
          .weight_decay = settings.weight_decay};
}

std::vector<ParamGroup> LoRAStage::attach(Session& session, const Start& start, Draws& draws) {
  session_ = &session;
  if (settings_.snr_gamma) snr_weights_ = min_snr_weights(session, *settings_.snr_gamma);
  const auto& [unet, text] = std::tie(settings_.unet, settings_.text);
  std::vector<ParamGroup> groups;
  groups.push_back(adapters("unet", unet, ending_with(session.layers("unet.*", true), unet.modules, "target_modules"),
                            start, draws));
  if (!text.modules.empty()) add_text(groups, start, draws);
  if (settings_.token) groups.push_back(token(*settings_.token, start));
  if (groups.size() == 1) prompts_.emplace(session);
  return groups;
}

void LoRAStage::describe(const Photo& photo, Sample& sample, Draws&) {
  const auto& own = photo.caption.empty() ? settings_.class_prompt : photo.caption;
  sample.caption = photo.of_class ? own : settings_.instance_prompt;
}

StepTensors LoRAStage::per_step(const std::vector<Sample>& samples, Draws&) {
  StepTensors tensors;
  if (prompts_) {
    prompts_->put(tensors, "caption", captions(samples));
  } else {
    put_prompts(tensors, *session_, "caption", captions(samples));
  }
  return tensors;
}

TextCondition LoRAStage::text(const StepTensors& tensors) {
  return prompts_ ? FrozenPrompts::take(tensors, "caption") : session_->encode(prompt_ids(tensors, "caption"));
}

Terms LoRAStage::forward(const Batch& batch, const StepTensors& tensors) {
  Terms terms = diffusion_terms(predict(*session_, batch, text(tensors)), batch, settings_.prior_weight);
  if (!snr_weights_.defined()) return terms;
  Tensor& rows = terms.at("mse").per_sample;  // the class images' rows, which follow, are not weighed
  rows = rows * snr_weights_.index_select(0, batch.timesteps.narrow(0, 0, rows.size(0)));
  return terms;
}

/// The factor alpha / rank goes into the ups, so that whoever adds the updates needs no other number.
void LoRAStage::save(ArtifactWriter& writer) const {
  for (const auto& [name, tensor] : updates_) {
    const bool scaled = name.ends_with(".lora_B.weight") && scale() != 1.0;
    writer.tensor(name, scaled ? tensor.detach() * scale() : tensor);
  }
  for (const auto& [name, row] : rows_) writer.tensor(name, row);
  writer.note("instance_prompt", settings_.instance_prompt);
  writer.note("phrase", settings_.phrase);
}

}  // namespace

std::unique_ptr<Stage> make_lora_stage(Settings settings) { return std::make_unique<LoRAStage>(std::move(settings)); }

}  // namespace atelier::dreambooth_lora
