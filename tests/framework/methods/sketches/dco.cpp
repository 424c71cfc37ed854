#include <ATen/core/grad_mode.h>
#include <ATen/ops/softplus.h>

#include "framework/formats/checkpoint.h"
#include "framework/methods/diffusion_loss.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/prompts.h"
#include "framework/models/base.h"
#include "framework/schedulers/noise_schedule.h"
#include "tests/framework/methods/sketches/sketches.h"

namespace atelier::sketches {
namespace {

class DCOStage final : public Stage {
 public:
  explicit DCOStage(DCO options) : options_(std::move(options)) {}

  [[nodiscard]] DataSpec data() const override {
    DataSpec data;
    data.drop_last = false;
    data.recipe.random_crop = true;
    return data;
  }
  [[nodiscard]] TrainSpec train() const override { return {.max_grad_norm = 1.0}; }

  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override {
    session_ = &session;
    reference_.emplace(session);
    lora_ = attach_low_rank(session, start, draws, attention_layers(session), options_.rank);
    std::vector<ParamGroup> groups{{.name = "lora", .parameters = lora_, .learning_rate = 5e-5, .weight_decay = 1e-4}};
    const auto encoders = session.base().text_towers();
    ParamGroup old_rows;
    old_rows.name = "old rows";
    old_rows.role = ParamGroup::Role::norm_only;
    for (const auto& encoder : encoders) {
      for (auto& [name, tensor] : session.unfreeze(encoder + ".*token_embedding.weight"))
        old_rows.parameters.push_back({name, tensor});
    }
    const auto rows = initializer_rows(session, options_.subject.class_word, "initializer_token");
    tokens_ = add_learned_token(session, start, options_.subject.placeholder, 1, rows);
    for (std::size_t i = 0; i < encoders.size(); ++i) {
      groups.push_back({.name = encoders[i], .parameters = tokens_[i], .learning_rate = 5e-6, .weight_decay = 1e-4});
      radii_.push_back(rows[i].to(tokens_[i].front().tensor.options()).norm());
    }
    groups.push_back(std::move(old_rows));
    if (options_.snr_gamma)
      noise_.emplace(read_training_noise(session.base().checkpoint().scheduler_config())
                         .schedule.to(session.base().placement().device));
    return groups;
  }

  void describe(const Photo& photo, Sample& sample, Draws&) override {
    sample.caption = photo.caption;
    sample.texts["base"] = photo.base_caption;
  }

  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws&) override {
    StepTensors tensors;
    put_prompts(tensors, *session_, "caption", captions(samples));
    reference_->put(tensors, "base", texts(samples, "base"));
    return tensors;
  }

  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override {
    const TextCondition text = session_->encode(prompt_ids(tensors, "caption"));
    const Tensor model = errors(predict(*session_, batch, text), batch);
    const at::NoGradGuard no_grad;  // of what follows nothing learns
    UNetCall plain;
    plain.adapters.skip = true;
    const Tensor base = errors(predict(*session_, batch, FrozenPrompts::take(tensors, "base"), plain), batch);
    return {{"mse", {.per_sample = model, .weight = 0.0}}, {"reference", {.per_sample = base, .weight = 0.0}}};
  }

  [[nodiscard]] bool linear() const override { return false; }

  /// −log σ(−β (mse − reference)), of means over the batch.
  [[nodiscard]] Tensor combine(Reduced& reduced, const std::map<std::string, double>&) const override {
    const Tensor loss = at::softplus(options_.beta * (reduced.at("mse") - reduced.at("reference")));
    reduced["dco"] = loss;
    return loss;
  }

  void after_step(const StepInfo&) override {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      for (auto& [name, row] : tokens_[i]) row.mul_(radii_[i] / row.norm().clamp_min(1e-12));
    }
  }

  void save(ArtifactWriter& writer) const override {
    for (const auto& [name, tensor] : lora_) writer.tensor(name, tensor);
    for (const auto& tower : tokens_) {
      for (const auto& [name, tensor] : tower) writer.tensor(name, tensor);
    }
  }

 private:
  static std::vector<std::string> attention_layers(Session& session) {
    std::vector<std::string> layers;
    for (const char* leaf : {"to_q", "to_k", "to_v", "to_out.0"}) {
      for (const auto& layer : session.layers("unet.*attn*." + std::string(leaf))) layers.push_back(layer);
    }
    return layers;
  }

  /// [B], weighted by min-SNR (Hang et al. 2023) where asked.
  [[nodiscard]] Tensor errors(const Tensor& prediction, const Batch& batch) const {
    const Tensor plain = row_mse(prediction, batch.target);
    if (!noise_) return plain;
    const Tensor snr = noise_->snr(batch.timesteps);
    return plain * (snr.clamp_max(*options_.snr_gamma) / snr).to(plain.scalar_type());
  }

  const DCO options_;
  Session* session_ = nullptr;  // outlives the stage
  std::optional<FrozenPrompts> reference_;
  std::optional<NoiseSchedule> noise_;
  std::vector<Parameter> lora_;
  std::vector<std::vector<Parameter>> tokens_;  // by text encoder
  std::vector<Tensor> radii_;                   // of the initializer's row in each, []
};

}  // namespace

std::unique_ptr<Stage> dco(DCO options) { return std::make_unique<DCOStage>(std::move(options)); }

}  // namespace atelier::sketches
