#include "framework/methods/diffusion_loss.h"
#include "framework/methods/prompts.h"
#include "framework/methods/trainable.h"
#include "framework/models/clip_text.h"
#include "framework/models/text_attention.h"
#include "tests/framework/methods/sketches/sketches.h"

namespace atelier::sketches {
namespace {

class CatVersionStage final : public Stage {
 public:
  explicit CatVersionStage(CatVersion options) : options_(std::move(options)) {}

  [[nodiscard]] DataSpec data() const override {
    DataSpec data;
    data.repeats = 100;
    data.drop_last = false;
    data.recipe.transform.squash = true;
    data.recipe.transform.method = ResizeMethod::pil_bicubic;
    data.recipe.flip_probability = 0.5;
    data.recipe.exif = ExifRule::ignore;
    return data;
  }
  [[nodiscard]] TrainSpec train() const override { return {.batch = 2}; }

  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override {
    session_ = &session;
    width_ = session.text(0).config().width;
    const auto size = options_.prefix_length * 2 * static_cast<std::int64_t>(options_.layers.size()) * width_;
    prefix_ = {kName, trainable(session, start.value(kName, [&] { return draws.normal("prefix", {size}); }))};
    return {{.name = "prefix", .parameters = {prefix_}, .learning_rate = 1e-2}};
  }

  void describe(const Photo&, Sample& sample, Draws&) override { sample.caption = options_.class_word; }

  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws&) override {
    StepTensors tensors;
    put_prompts(tensors, *session_, "caption", captions(samples));
    return tensors;
  }

  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override {
    edit();
    const TextCondition text = session_->encode(prompt_ids(tensors, "caption"));
    return diffusion_terms(predict(*session_, batch, text), batch);
  }

  void save(ArtifactWriter& writer) const override {
    writer.tensor(prefix_.name, prefix_.tensor);
    writer.note("prefix_logit_bias", "1.0");
  }

 private:
  static constexpr const char* kName = "text_encoder.control_trans";

  /// The edits are views of the parameter, made anew for each graph.
  void edit() {
    const auto layers = static_cast<std::int64_t>(options_.layers.size());
    const Tensor all = prefix_.tensor.view({options_.prefix_length, layers, 2, width_});
    for (std::int64_t i = 0; i < layers; ++i) {
      TextAttentionEdit edit;
      edit.extra_keys = all.select(1, i).select(1, 0);
      edit.extra_values = all.select(1, i).select(1, 1);
      edit.extra_logit = 1.0;
      session_->edit_text_attention(0, options_.layers[static_cast<std::size_t>(i)], edit);
    }
  }

  const CatVersion options_;
  Session* session_ = nullptr;  // outlives the stage
  std::int64_t width_ = 0;
  Parameter prefix_;
};

}  // namespace

std::unique_ptr<Stage> catversion(CatVersion options) { return std::make_unique<CatVersionStage>(std::move(options)); }

}  // namespace atelier::sketches
