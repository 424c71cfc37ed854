#include "plugins/custom_diffusion/kv_stage.h"

#include "framework/methods/diffusion_loss.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/prompts.h"
#include "framework/methods/trainable.h"

namespace atelier::custom_diffusion {
namespace {

constexpr double kFar = 0.6;         // photos below this share of the picture's side are said to be small
constexpr double kNoPlaces = 1e-12;  // in place of none, where nothing of a photo counts

class KVStage final : public Stage {
 public:
  explicit KVStage(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] DataSpec data() const override { return settings_.data; }
  [[nodiscard]] TrainSpec train() const override { return settings_.train; }
  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override;
  void describe(const Photo& photo, Sample& sample, Draws& draws) override;
  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override;
  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override;
  void save(ArtifactWriter& writer) const override;

 private:
  [[nodiscard]] ParamGroup group(const char* name, std::vector<Parameter> parameters);

  const Settings settings_;
  Session* session_ = nullptr;  // outlives the stage
  std::vector<Parameter> learned_;
};

ParamGroup KVStage::group(const char* name, std::vector<Parameter> parameters) {
  learned_.insert(learned_.end(), parameters.begin(), parameters.end());
  return {.name = name,
          .parameters = std::move(parameters),
          .learning_rate = settings_.learning_rate,
          .weight_decay = settings_.weight_decay};
}

std::vector<ParamGroup> KVStage::attach(Session& session, const Start& start, Draws&) {
  session_ = &session;
  const auto rows = initializer_rows(session, settings_.initializer, "initializer_token");
  std::vector<Parameter> token, weights;
  for (auto& tower : add_learned_token(session, start, settings_.placeholder, 1, rows)) {
    token.push_back(std::move(tower.front()));
  }
  for (const auto& pattern : learned_patterns(settings_.queries)) {
    for (auto& parameter : unfreeze(session, start, pattern)) weights.push_back(std::move(parameter));
  }
  std::vector<ParamGroup> groups{group("token", std::move(token))};
  groups.push_back(group("unet", std::move(weights)));
  return groups;
}

void KVStage::describe(const Photo& photo, Sample& sample, Draws& draws) {
  sample.caption =
      photo.of_class ? (photo.caption.empty() ? settings_.class_prompt : photo.caption) : settings_.instance_prompt;
  if (photo.of_class || (photo.scale >= kFar && photo.scale <= 1.0)) return;
  const auto& captions = photo.scale < kFar ? settings_.far_captions : settings_.near_captions;
  const auto chosen = draws.below("scale_caption", static_cast<std::int64_t>(captions.size()));
  sample.caption = with_phrase(captions[static_cast<std::size_t>(chosen)], sample.caption);
}

StepTensors KVStage::per_step(const std::vector<Sample>& samples, Draws&) {
  StepTensors tensors;
  put_prompts(tensors, *session_, "caption", captions(samples));
  return tensors;
}

Terms KVStage::forward(const Batch& batch, const StepTensors& tensors) {
  UNetCall call;
  call.detached_text = settings_.detach_start_token ? 1 : 0;
  const Tensor prediction = predict(*session_, batch, session_->encode(prompt_ids(tensors, "caption")), call);
  Terms terms = diffusion_terms(prediction, batch, settings_.prior_weight);
  if (!batch.mask.defined()) return terms;
  Tensor& errors = terms.at("mse").per_sample;
  const auto rows = errors.size(0);  // all of them, or those of the concept, which come first
  const auto first = [&](const Tensor& x) { return x.narrow(0, 0, rows); };
  errors = masked_errors(first(prediction), first(batch.target), first(batch.mask));
  return terms;
}

void KVStage::save(ArtifactWriter& writer) const {
  for (const auto& [name, tensor] : learned_) writer.tensor(name, tensor);
  writer.note("placeholder_token", settings_.placeholder);
  writer.note("initializer_token", settings_.initializer);
}

}  // namespace

std::vector<std::string> learned_patterns(bool queries) {
  std::vector<std::string> patterns{"unet.*.attn2.to_k.weight", "unet.*.attn2.to_v.weight"};
  if (!queries) return patterns;
  patterns.insert(patterns.end(),
                  {"unet.*.attn2.to_q.weight", "unet.*.attn2.to_out.0.weight", "unet.*.attn2.to_out.0.bias"});
  return patterns;
}

Tensor masked_errors(const Tensor& prediction, const Tensor& target, const Tensor& mask) {
  if (!mask.defined()) return row_mse(prediction, target);
  const Tensor counts = mask.to(prediction.scalar_type());  // [B, 1, h, w]
  const Tensor squares = (prediction - target.to(prediction.scalar_type())).square() * counts;
  return squares.flatten(1).sum(1) / counts.flatten(1).sum(1).clamp_min(kNoPlaces);
}

std::unique_ptr<Stage> make_kv_stage(Settings settings) { return std::make_unique<KVStage>(std::move(settings)); }

}  // namespace atelier::custom_diffusion
