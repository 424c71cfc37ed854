#include "plugins/dreambooth/finetune_stage.h"

#include "framework/methods/artifact_checks.h"
#include "framework/methods/diffusion_loss.h"
#include "framework/methods/prompts.h"
#include "framework/methods/stage_settings.h"
#include "framework/methods/trainable.h"
#include "framework/models/base.h"
#include "plugins/dreambooth/spec.h"

namespace atelier::dreambooth {
namespace {

DataSpec data_of(const Options& options) {
  DataSpec data;
  data.recipe.transform = {.size = static_cast<int>(options.integer("resolution")),
                           .method = ResizeMethod::pil_bilinear};
  data.recipe.random_crop = !options.flag("center_crop");
  data.drop_last = false;
  return data;
}

TrainSpec train_of(const Options& options) {
  TrainSpec train = read_train_spec(options, kStage, kSteps);
  train.offset_noise = options.real("offset_noise");
  return train;
}

class FinetuneStage final : public Stage {
 public:
  explicit FinetuneStage(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] DataSpec data() const override { return settings_.data; }
  [[nodiscard]] TrainSpec train() const override { return settings_.train; }
  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override;
  void describe(const Photo& photo, Sample& sample, Draws& draws) override;
  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override;
  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override;
  void save(ArtifactWriter& writer) const override;

 private:
  [[nodiscard]] ParamGroup group(const std::string& component, const Start& start);
  [[nodiscard]] TextCondition text(const StepTensors& tensors);

  const Settings settings_;
  Session* session_ = nullptr;            // outlives the stage
  std::optional<FrozenPrompts> prompts_;  // while the text encoder does not learn
  std::vector<Parameter> learned_;
  Tensor snr_weights_;  // [T] float32 on the device; undefined without snr_gamma
};

ParamGroup FinetuneStage::group(const std::string& component, const Start& start) {
  ParamGroup group;
  group.name = component;
  group.parameters = unfreeze(*session_, start, component + ".*");
  group.learning_rate = settings_.learning_rate;
  group.weight_decay = settings_.weight_decay;
  learned_.insert(learned_.end(), group.parameters.begin(), group.parameters.end());
  return group;
}

std::vector<ParamGroup> FinetuneStage::attach(Session& session, const Start& start, Draws&) {
  require_one_encoder(session, "dreambooth", "SDXL's weights are tuned by low-rank updates: another method");
  session_ = &session;
  if (settings_.snr_gamma) snr_weights_ = min_snr_weights(session, *settings_.snr_gamma);
  std::vector<ParamGroup> groups{group("unet", start)};
  if (settings_.text_encoder) {
    groups.push_back(group("text_encoder", start));
  } else {
    prompts_.emplace(session);
  }
  return groups;
}

void FinetuneStage::describe(const Photo& photo, Sample& sample, Draws&) {
  sample.caption = photo.of_class ? settings_.class_prompt : settings_.instance_prompt;
}

StepTensors FinetuneStage::per_step(const std::vector<Sample>& samples, Draws&) {
  StepTensors tensors;
  if (prompts_) {
    prompts_->put(tensors, "caption", captions(samples));
  } else {
    put_prompts(tensors, *session_, "caption", captions(samples));
  }
  return tensors;
}

TextCondition FinetuneStage::text(const StepTensors& tensors) {
  return prompts_ ? FrozenPrompts::take(tensors, "caption") : session_->encode(prompt_ids(tensors, "caption"));
}

Terms FinetuneStage::forward(const Batch& batch, const StepTensors& tensors) {
  Terms terms = diffusion_terms(predict(*session_, batch, text(tensors)), batch, settings_.prior_weight);
  if (!snr_weights_.defined()) return terms;
  Tensor& rows = terms.at("mse").per_sample;
  rows = rows * snr_weights_.index_select(0, batch.timesteps.narrow(0, 0, rows.size(0)));
  return terms;
}

void FinetuneStage::save(ArtifactWriter& writer) const {
  for (const auto& [name, tensor] : learned_) writer.tensor(name, tensor);
  writer.note("instance_prompt", settings_.instance_prompt);
}

}  // namespace

Settings Settings::read(const Options& options, const Concept& subject) {
  Settings settings;
  settings.instance_prompt =
      with_phrase(options.text("instance_prompt"), options.text("placeholder_token") + " " + subject.class_word);
  settings.text_encoder = options.flag("train_text_encoder");
  if (options.flag("with_prior_preservation")) {
    settings.class_prompt = with_phrase(options.text("class_prompt"), subject.class_word);
    settings.prior_weight = options.real("prior_loss_weight");
  }
  settings.snr_gamma = options.optional_real("snr_gamma");
  settings.data = data_of(options);
  settings.train = train_of(options);
  settings.learning_rate = read_learning_rate(options, kStage);
  settings.weight_decay = read_weight_decay(options, kStage);
  return settings;
}

std::unique_ptr<Stage> make_finetune_stage(Settings settings) {
  return std::make_unique<FinetuneStage>(std::move(settings));
}

}  // namespace atelier::dreambooth
