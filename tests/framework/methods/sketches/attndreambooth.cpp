#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>

#include "framework/methods/diffusion_loss.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/prompts.h"
#include "framework/methods/trainable.h"
#include "framework/text/clip_tokenizer.h"
#include "tests/framework/methods/sketches/sketches.h"

namespace atelier::sketches {
namespace {

using Trains = AttnDreamBooth::Trains;

/// Squared differences between the placeholder's and the next token's attention, [rows], averaged over layers.
struct Statistics {
  std::vector<Tensor> mean, var;
};

class AttnDreamBoothStage final : public Stage {
 public:
  explicit AttnDreamBoothStage(AttnDreamBooth options) : options_(std::move(options)) {}

  [[nodiscard]] DataSpec data() const override {
    DataSpec data;
    data.repeats = 100;
    data.drop_last = false;
    data.recipe.random_crop = true;
    data.recipe.rotate_probability = 0.75;
    data.recipe.rotate_degrees = 45.0;
    data.recipe.flip_probability = 0.25;
    data.recipe.transform.flip_before_crop = true;
    return data;
  }
  [[nodiscard]] TrainSpec train() const override { return {.batch = 8}; }

  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws&) override {
    session_ = &session;
    const auto rows = initializer_rows(session, options_.subject.class_word, "initialize_token");
    auto token = add_learned_token(session, start, options_.subject.placeholder, 1, rows).front();
    learned_ = token;
    if (options_.trains == Trains::embedding) return {{.name = "token", .parameters = token, .learning_rate = 1e-3}};
    for (auto& parameter : token) parameter.tensor.requires_grad_(false);
    frozen_.emplace(session);
    restore(session, start.tensors(), "unet.*");
    const bool all = options_.trains == Trains::identity;
    learned_ = unfreeze(session, start, all ? "unet.*" : "unet.*attn2*");
    return {{.name = "unet", .parameters = learned_, .learning_rate = all ? 2e-6 : 2e-5}};
  }

  void describe(const Photo& photo, Sample& sample, Draws&) override {
    const auto& [placeholder, class_word] = options_.subject;
    sample.caption = "a photo of a " + (photo.of_class ? class_word : placeholder + " " + class_word);
  }

  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws&) override {
    StepTensors tensors;
    put_prompts(tensors, *session_, "caption", captions(samples));
    const auto placeholder = session_->tokenizer(0).id_of(options_.subject.placeholder);
    tensors.rows["position"] = (prompt_ids(tensors, "caption").towers[0] == placeholder).to(at::kInt).argmax(-1);
    if (frozen_) frozen_->put(tensors, "caption", captions(samples));
    return tensors;
  }

  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override {
    const auto text =
        frozen_ ? FrozenPrompts::take(tensors, "caption") : session_->encode(prompt_ids(tensors, "caption"));
    Statistics statistics;
    UNetCall call;
    call.observer = [&](std::string_view, const Tensor& probabilities) {
      observe(probabilities.narrow(0, 0, batch.instance_rows),
              tensors.rows.at("position").narrow(0, 0, batch.instance_rows), statistics);
    };
    Terms terms = diffusion_terms(predict(*session_, batch, text, call), batch, options_.prior_weight);
    const auto over_layers = [](const std::vector<Tensor>& all) { return at::stack(all).mean(0); };
    const auto regulariser = [&](const std::vector<Tensor>& all, double weight) {
      return Term{
          .per_sample = over_layers(all), .weight = weight, .reduce = Term::Reduce::sum, .rows = Term::Rows::instance};
    };
    terms["attn_mean"] = regulariser(statistics.mean, options_.mean_weight);
    terms["attn_var"] = regulariser(statistics.var, options_.var_weight);
    return terms;
  }

  void save(ArtifactWriter& writer) const override {
    for (const auto& [name, tensor] : learned_) writer.tensor(name, tensor);
  }

 private:
  /// probabilities [rows, heads, pixels, 77], position [rows].
  static void observe(const Tensor& probabilities, const Tensor& position, Statistics& statistics) {
    const Tensor columns = position.view({-1, 1, 1, 1}) + at::arange(2, position.options());  // [rows, 1, 1, 2]
    auto shape = probabilities.sizes().vec();
    shape.back() = 2;
    const Tensor values = probabilities.gather(-1, columns.expand(shape)).flatten(1, 2);  // [rows, heads·pixels, 2]
    const auto gap = [](const Tensor& x) { return (x.select(-1, 0) - x.select(-1, 1)).square(); };
    const Tensor mean = values.mean(1, /*keepdim=*/true);
    const auto squares =
        (values - mean).square().sum(1) / (values.size(1) - 1);  // unbiased; Tensor::var warns at 0 rows
    statistics.mean.push_back(gap(mean.squeeze(1)));
    statistics.var.push_back(gap(squares));
  }

  const AttnDreamBooth options_;
  Session* session_ = nullptr;  // outlives the stage
  std::optional<FrozenPrompts> frozen_;
  std::vector<Parameter> learned_;
};

}  // namespace

std::unique_ptr<Stage> attndreambooth(AttnDreamBooth options) {
  return std::make_unique<AttnDreamBoothStage>(std::move(options));
}

}  // namespace atelier::sketches
