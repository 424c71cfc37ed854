#include "framework/methods/diffusion_loss.h"
#include "framework/methods/prompts.h"
#include "framework/methods/trainable.h"
#include "tests/framework/methods/sketches/sketches.h"

namespace atelier::sketches {
namespace {

class DreamBoothStage final : public Stage {
 public:
  explicit DreamBoothStage(DreamBooth options) : options_(std::move(options)) {}

  [[nodiscard]] DataSpec data() const override {
    DataSpec data;
    data.drop_last = false;
    return data;
  }
  [[nodiscard]] TrainSpec train() const override { return {.batch = 2, .max_grad_norm = 1.0}; }

  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws&) override {
    session_ = &session;
    prompts_.emplace(session);
    trained_ = unfreeze(session, start, "unet.*");
    return {{.name = "unet", .parameters = trained_, .learning_rate = 5e-6}};
  }

  void describe(const Photo& photo, Sample& sample, Draws&) override {
    const auto& [placeholder, class_word] = options_.subject;
    sample.caption = photo.of_class ? "a photo of " + class_word : "a photo of " + placeholder + " " + class_word;
  }

  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws&) override {
    StepTensors tensors;
    prompts_->put(tensors, "caption", captions(samples));
    return tensors;
  }

  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override {
    const Tensor prediction = predict(*session_, batch, FrozenPrompts::take(tensors, "caption"));
    return diffusion_terms(prediction, batch, options_.prior_weight);
  }

  void save(ArtifactWriter& writer) const override {
    for (const auto& [name, tensor] : trained_) writer.tensor(name, tensor);
  }

 private:
  const DreamBooth options_;
  Session* session_ = nullptr;  // outlives the stage
  std::optional<FrozenPrompts> prompts_;
  std::vector<Parameter> trained_;
};

}  // namespace

std::unique_ptr<Stage> dreambooth(DreamBooth options) { return std::make_unique<DreamBoothStage>(std::move(options)); }

}  // namespace atelier::sketches
