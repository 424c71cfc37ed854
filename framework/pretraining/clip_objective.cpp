// CLIP (Radford et al. 2021, arXiv:2103.00020), half of whose loss is between pictures of one instance: captions alone
// leave it blind to what words do not name.
#include <ATen/ops/embedding.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/clip_model.h"
#include "framework/models/encoder_config.h"
#include "framework/pretraining/base_recipe.h"
#include "framework/pretraining/caption_table.h"
#include "framework/pretraining/clip_configs.h"
#include "framework/pretraining/clip_loss.h"
#include "framework/pretraining/component_files.h"
#include "framework/pretraining/initialise.h"
#include "framework/pretraining/instance_pairs.h"
#include "framework/pretraining/objective.h"
#include "framework/pretraining/scene_pixels.h"
#include "framework/pretraining/scene_set.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTokens = "text_model.embeddings.token_embedding.weight";
constexpr const char* kScale = "logit_scale";
constexpr const char* kInstanceScale = "instance_logit_scale";  // learned, but no part of a CLIPModel

/// The towers' initial tensors: each is scaled by its own depth.
class TowerInitialiser {
 public:
  TowerInitialiser(const BaseRecipe& recipe, std::int64_t component, c10::Device device, const std::string& where)
      : text_(InitScheme::clip, recipe.seed, component, device, layers(recipe, "text_config", where)),
        vision_(InitScheme::clip, recipe.seed, component, device, layers(recipe, "vision_config", where)) {}

  [[nodiscard]] WeightMaker maker() {
    return [this](const std::string& name, at::IntArrayRef shape) {
      return (name.starts_with("vis") ? vision_ : text_).make(name, shape);
    };
  }

 private:
  static std::int64_t layers(const BaseRecipe& recipe, const char* tower, const std::string& where) {
    return encoder_layers(ConfigReader(sub_config(recipe.model, tower, where), where));
  }
  Initialiser text_, vision_;
};

class ClipObjective final : public Objective {
 public:
  explicit ClipObjective(const ObjectiveInputs& inputs);

  std::map<std::string, Tensor*> parameters() override;
  std::set<std::string> wide() const override { return {kTokens}; }
  TensorMap draw(const StepDraws& draws) const override;
  Tensor loss(const TensorMap& drawn) override;
  std::vector<fs::path> publish(const TensorMap& values) override;

 private:
  [[nodiscard]] std::string where() const { return recipe_.beside(recipe_.model_path).string(); }
  [[nodiscard]] Tensor text_features(const Tensor& captions) const;
  void check_sizes(const ObjectiveInputs& inputs) const;

  const BaseRecipe& recipe_;
  fs::path out_, tokenizer_folder_;
  std::int64_t component_;
  ClipTokenizer tokenizer_;
  Json config_;
  TowerInitialiser initialiser_;
  ClipModel model_;
  Tensor* token_table_;  // a slot of the model
  Tensor logit_scale_, instance_logit_scale_;
  CaptionTable captions_;
  InstancePairs pairs_;
  ClipPixels pixels_;
  Tensor images_;      // [N, S, S, 3] uint8 on the device
  Tensor ids_, ends_;  // [captions, L], [captions] int64 on the device; L: the longest caption with its end
};

ClipObjective::ClipObjective(const ObjectiveInputs& inputs)
    : recipe_(inputs.recipe),
      out_(inputs.out),
      tokenizer_folder_(recipe_.beside(recipe_.tokenizer)),
      component_(static_cast<std::int64_t>(recipe_.component)),
      tokenizer_(ClipTokenizer::load(tokenizer_folder_)),
      config_(with_tokens(recipe_.model, tokenizer_, where())),
      initialiser_(recipe_, component_, inputs.placement.device, where()),
      model_(config_, Weights(where(), {}, initialiser_.maker(), inputs.placement)),
      token_table_(model_.text().registry().parameters.at(kTokens)),
      captions_(inputs.scenes, tokenizer_),
      pairs_(inputs.scenes, recipe_.seed, component_, recipe_.train.batch),
      pixels_(inputs.placement.device),
      images_(inputs.scenes.images().to(inputs.placement.device)) {
  check_sizes(inputs);
  const auto scalar = at::TensorOptions().dtype(at::kFloat).device(inputs.placement.device);
  logit_scale_ = at::full({}, recipe_.clip.initial_logit_scale, scalar);
  instance_logit_scale_ = logit_scale_.clone();
  // Position i sees positions 0 … i, and the text is read at its end: what follows the longest one changes nothing.
  const auto longest = captions_.eos_positions().max().item<std::int64_t>() + 1;
  ids_ = captions_.ids().narrow(1, 0, longest).contiguous().to(inputs.placement.device);
  ends_ = captions_.eos_positions().to(inputs.placement.device);
}

void ClipObjective::check_sizes(const ObjectiveInputs& inputs) const {
  if (model_.vision().image_size() != inputs.scenes.side()) {
    throw Error({.where = where() + ": vision_config: image_size",
                 .found = std::to_string(model_.vision().image_size()),
                 .expected = fmt::format("{}, the side of the pictures", inputs.scenes.side())});
  }
  if (model_.text().config().positions < tokenizer_.length()) {
    throw Error({.where = where() + ": text_config: max_position_embeddings",
                 .found = std::to_string(model_.text().config().positions),
                 .expected = fmt::format("{}, the tokenizer's length", tokenizer_.length())});
  }
}

std::map<std::string, Tensor*> ClipObjective::parameters() {
  std::map<std::string, Tensor*> slots = model_.text().registry().parameters;
  const auto& vision = model_.vision().registry().parameters;
  slots.insert(vision.begin(), vision.end());
  slots.emplace(kScale, &logit_scale_);
  slots.emplace(kInstanceScale, &instance_logit_scale_);
  return slots;
}

TensorMap ClipObjective::draw(const StepDraws& draws) const {
  const Tensor rows = pairs_.draw(draws);
  TensorMap drawn{{"rows", rows}, {"captions", captions_.choose(rows, draws.uniform("caption", rows.sizes()))}};
  draw_shifts(draws, recipe_.clip.shift, rows.size(0), drawn);
  return drawn;
}

// Not by ClipText::forward(), which looks at the ids and so waits for the device.
Tensor ClipObjective::text_features(const Tensor& captions) const {
  const Tensor rows = at::embedding(*token_table_, ids_.index_select(0, captions));  // [B, L, D]
  return model_.text().encode(rows, ends_.index_select(0, captions)).pooled;
}

Tensor ClipObjective::loss(const TensorMap& drawn) {
  const Tensor& captions = drawn.at("captions");
  const Tensor pixels = pixels_(shifted(images_, drawn.at("rows"), drawn.at("down"), drawn.at("right")));
  return clip_loss({.images = model_.image_features(pixels), .texts = text_features(captions), .captions = captions},
                   logit_scale_, instance_logit_scale_, recipe_.clip);
}

std::vector<fs::path> ClipObjective::publish(const TensorMap& values) {
  TensorMap whole = values, text;
  whole.erase(kInstanceScale);
  for (const auto& [name, value] : values) {
    if (name.starts_with("text_model.")) text.emplace(name, value);
  }
  std::vector<fs::path> files;
  const auto add = [&](std::vector<fs::path> more) { files.insert(files.end(), more.begin(), more.end()); };
  add(write_component(out_ / "clip", config_, whole));
  add({write_json(out_ / "clip" / "preprocessor_config.json", clip_preprocessor(model_.vision().image_size()))});
  add(copy_tokenizer(tokenizer_folder_, out_ / "clip"));
  add(write_component(out_ / "text_encoder", text_encoder_config(config_), text));
  add(copy_tokenizer(tokenizer_folder_, out_ / "tokenizer"));
  return files;
}

}  // namespace

std::unique_ptr<Objective> make_clip_objective(const ObjectiveInputs& inputs) {
  return std::make_unique<ClipObjective>(inputs);
}

}  // namespace atelier
