#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <limits>

#include "framework/methods/diffusion_loss.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/prompts.h"
#include "framework/models/base.h"
#include "framework/text/clip_tokenizer.h"
#include "tests/framework/methods/sketches/sketches.h"

namespace atelier::sketches {
namespace {

constexpr const char* kKeysAndValues = "unet.*attn2.to_";

/// The identifier mask of one prompt, [1, 77, 77]: the placeholder at p sees itself only, and nobody behind its class
/// words sees it. p < 0: the causal mask.
Tensor causal_bias(std::int64_t p, std::int64_t class_tokens) {
  constexpr double kForbidden = std::numeric_limits<float>::lowest();
  Tensor bias = at::full({77, 77}, kForbidden).triu(1);
  if (p >= 0) {
    bias.narrow(0, p, 1).narrow(1, 0, p).fill_(kForbidden);
    bias.narrow(0, p + class_tokens + 1, 77 - p - class_tokens - 1).narrow(1, p, 1).fill_(kForbidden);
  }
  return bias.unsqueeze(0);
}

class TextRegStage : public Stage {
 public:
  explicit TextRegStage(TextReg options) : options_(std::move(options)) {}

  [[nodiscard]] DataSpec data() const override {
    DataSpec data;
    data.repeats = 20;
    data.drop_last = false;
    data.recipe.flip_probability = 0.5;
    data.recipe.brightness = 0.2;
    data.recipe.contrast = 0.1;
    return data;
  }
  void describe(const Photo&, Sample& sample, Draws& draws) override {
    static constexpr std::array kTemplates{"a photo of a ", "a rendering of the "};
    const auto phrase = options_.subject.placeholder + " " + options_.subject.class_word;
    sample.caption = kTemplates.at(static_cast<std::size_t>(draws.below("caption", 2))) + phrase;
    sample.texts = {{"class", "a photo of a " + options_.subject.class_word}, {"edit", "a red " + phrase}};
  }

 protected:
  std::vector<Parameter> attach_lora(Session& session, const Start& start, Draws& draws) {
    std::vector<std::string> layers;
    for (const char* half : {"k", "v"}) {
      for (const auto& layer : session.layers(kKeysAndValues + std::string(half))) layers.push_back(layer);
    }
    keys_ = layers.size() / 2;
    layers_ = layers;
    return attach_low_rank(session, start, draws, layers, options_.rank);
  }
  /// Where the placeholder stands in the prompt, -1 where it does not.
  [[nodiscard]] std::int64_t position(const std::string& prompt) const {
    const auto ids = session_->tokenizer(0).encode(prompt);
    const auto found = std::find(ids.begin(), ids.end(), session_->tokenizer(0).id_of(options_.subject.placeholder));
    return found == ids.end() ? -1 : found - ids.begin();
  }
  [[nodiscard]] Tensor bias(const std::string& prompt, bool masked) const {
    return causal_bias(masked ? position(prompt) : -1, options_.class_tokens);
  }

  const TextReg options_;
  Session* session_ = nullptr;  // outlives the stage
  std::vector<std::string> layers_;
  std::size_t keys_ = 0;  // the first of layers_ are keys
};

class Ti final : public TextRegStage {
 public:
  using TextRegStage::TextRegStage;

  [[nodiscard]] TrainSpec train() const override { return {.loss_divisor = 4.0}; }

  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override {
    session_ = &session;
    const auto rows = initializer_rows(session, options_.subject.class_word, "initializer");
    token_ = add_learned_token(session, start, options_.subject.placeholder, 1, rows).front().front();
    norm_ = rows.front().to(token_.tensor.options()).norm();
    std::vector<ParamGroup> groups{{.name = "token", .parameters = {token_}, .learning_rate = 5e-4}};
    if (options_.carry) {
      carried_ = attach_lora(session, start, draws);
      groups.push_back({.name = "lora", .parameters = carried_, .role = ParamGroup::Role::accumulated});
    }
    return groups;
  }

  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override {
    StepTensors tensors;
    put_prompts(tensors, *session_, "caption", captions(samples));
    const bool masked = draws.happens("mask_identifier", options_.mask_ratio);  // one for the whole call
    std::vector<Tensor> rows;
    for (const Sample& sample : samples) rows.push_back(bias(sample.caption, masked));
    tensors.rows["bias"] = at::stack(rows);  // [B, 1, 77, 77]
    return tensors;
  }

  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override {
    EncodeOptions options;
    options.attention_bias = tensors.rows.at("bias");
    const auto text = session_->encode(prompt_ids(tensors, "caption"), options);
    return diffusion_terms(predict(*session_, batch, text), batch);
  }

  void after_step(const StepInfo& info) override {
    const double pull = std::min(1.0, 100.0 * info.learning_rates.front());
    const Tensor norm = token_.tensor.norm();
    token_.tensor.mul_((norm + pull * (norm_ - norm)) / norm.clamp_min(1e-12));
  }

  void save(ArtifactWriter& writer) const override {
    writer.tensor(token_.name, token_.tensor);
    for (const auto& [name, tensor] : carried_) {
      writer.aux(name, tensor);  // the second stage continues with the same A
      if (tensor.grad().defined()) writer.aux("carry." + name, tensor.grad());
    }
  }

 private:
  Parameter token_;
  Tensor norm_;  // of the initializer's row, []
  std::vector<Parameter> carried_;
};

class Ut final : public TextRegStage {
 public:
  using TextRegStage::TextRegStage;

  [[nodiscard]] TrainSpec train() const override { return {.loss_divisor = 4.0, .max_grad_norm = 1.0}; }

  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override {
    session_ = &session;
    const auto rows = initializer_rows(session, options_.subject.class_word, "initializer");
    for (auto& tower : add_learned_token(session, start, options_.subject.placeholder, 1, rows)) {
      for (auto& token : tower) token.tensor.requires_grad_(false);
    }
    frozen_.emplace(session);
    lora_ = attach_lora(session, start, draws);
    return {{.name = "lora", .parameters = lora_, .learning_rate = 4e-4}};
  }

  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override {
    StepTensors tensors;
    const auto put = [&](const std::string& name, const std::vector<std::string>& prompts, bool masked) {
      std::vector<Tensor> contexts;
      for (const auto& prompt : prompts) {
        const Tensor mask = bias(prompt, masked).unsqueeze(0).to(session_->base().placement().device);
        contexts.push_back(frozen_->encode(prompt, masked ? "masked" : "", mask).context.squeeze(0));
      }
      tensors.rows[name] = at::stack(contexts);  // [B, 77, D]
    };
    put("caption", captions(samples), draws.happens("mask_identifier", options_.mask_ratio, 0));
    put("class", texts(samples, "class"), false);
    put("edit", texts(samples, "edit"), draws.happens("mask_identifier", options_.mask_ratio, 1));
    return tensors;
  }

  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override {
    const TextCondition text{.context = tensors.rows.at("caption"), .pooled = {}};
    Terms terms = diffusion_terms(predict(*session_, batch, text), batch);
    terms["r_class"] = {.per_sample = added_norm(tensors.rows.at("class"), layers_.size()), .weight = options_.alpha};
    terms["r_edit"] = {.per_sample = added_norm(tensors.rows.at("edit"), keys_), .weight = options_.beta};
    return terms;
  }

  void save(ArtifactWriter& writer) const override {
    for (const auto& [name, tensor] : lora_) writer.tensor(name, tensor);
  }

 private:
  /// ‖ΔW H‖ over tokens and channels, averaged over the first `count` layers: [B].
  Tensor added_norm(const Tensor& context, std::size_t count) {
    std::vector<Tensor> norms;
    for (std::size_t i = 0; i < count; ++i)
      norms.push_back(at::linalg_vector_norm(session_->adapter_output(layers_[i], context), 2, {1, 2}));
    return at::stack(norms).mean(0);
  }

  std::optional<FrozenPrompts> frozen_;
  std::vector<Parameter> lora_;
};

}  // namespace

std::unique_ptr<Stage> textreg_ti(TextReg options) { return std::make_unique<Ti>(std::move(options)); }
std::unique_ptr<Stage> textreg_ut(TextReg options) { return std::make_unique<Ut>(std::move(options)); }

}  // namespace atelier::sketches
