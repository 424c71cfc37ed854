// An attribute classifier that judges what samples show: the sum of the cross-entropies over the attributes.
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/classifier.h"
#include "framework/pretraining/base_recipe.h"
#include "framework/pretraining/component_files.h"
#include "framework/pretraining/initialise.h"
#include "framework/pretraining/objective.h"
#include "framework/pretraining/scene_pixels.h"
#include "framework/pretraining/scene_set.h"

namespace atelier {
namespace {

/// The values of the attributes are the scene set's.
Json with_attributes(Json config, const SceneSet& scenes) {
  Json attributes = Json::object();
  for (const auto& attribute : scenes.attributes()) attributes[attribute.name] = attribute.values;
  config["attributes"] = attributes;
  return config;
}

/// [N, attributes] int64.
Tensor labels_of(const SceneSet& scenes) {
  std::vector<std::int64_t> flat;
  for (const Scene& scene : scenes.scenes()) flat.insert(flat.end(), scene.values.begin(), scene.values.end());
  return at::tensor(flat, at::TensorOptions().dtype(at::kLong)).view({scenes.size(), -1});
}

class JudgeObjective final : public Objective {
 public:
  explicit JudgeObjective(const ObjectiveInputs& inputs)
      : recipe_(inputs.recipe),
        out_(inputs.out),
        component_(static_cast<std::int64_t>(recipe_.component)),
        config_(with_attributes(recipe_.model, inputs.scenes)),
        initialiser_(InitScheme::torch, recipe_.seed, component_, inputs.placement.device),
        network_(config_, Weights(where(), {}, initialiser_.maker(), inputs.placement)),
        images_(inputs.scenes.images().to(inputs.placement.device)),
        labels_(labels_of(inputs.scenes).to(inputs.placement.device)),
        order_(recipe_.seed, component_, inputs.scenes.size()) {
    if (network_.config().image_size == inputs.scenes.side()) return;
    throw Error({.where = where() + ": image_size",
                 .found = std::to_string(network_.config().image_size),
                 .expected = fmt::format("{}, the side of the pictures", inputs.scenes.side())});
  }

  std::map<std::string, Tensor*> parameters() override { return network_.registry().parameters; }

  TensorMap draw(const StepDraws& draws) const override {
    const std::int64_t batch = recipe_.train.batch;
    TensorMap drawn{{"rows", order_.take(draws.step() * batch, batch)}};
    draw_shifts(draws, recipe_.judge.shift, batch, drawn);
    return drawn;
  }

  Tensor loss(const TensorMap& drawn) override {
    const Tensor& rows = drawn.at("rows");
    const Tensor pixels = to_pixels(shifted(images_, rows, drawn.at("down"), drawn.at("right")), at::kFloat);
    const auto logits = network_.forward(pixels);
    const Tensor labels = labels_.index_select(0, rows);  // [B, attributes], in the same order: sorted by name
    Tensor loss;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const Tensor own =
          at::cross_entropy_loss(logits[i].to(at::kFloat), labels.select(1, static_cast<std::int64_t>(i)));
      loss = loss.defined() ? loss + own : own;
    }
    return loss;
  }

  std::vector<std::filesystem::path> publish(const TensorMap& values) override {
    return write_component(out_ / "judge", config_, values);
  }

 private:
  [[nodiscard]] std::string where() const { return recipe_.beside(recipe_.model_path).string(); }

  const BaseRecipe& recipe_;
  std::filesystem::path out_;
  std::int64_t component_;
  Json config_;
  Initialiser initialiser_;
  AttributeClassifier network_;
  Tensor images_;  // [N, S, S, 3] uint8 on the device
  Tensor labels_;  // [N, attributes] int64 on the device
  EpochOrder order_;
};

}  // namespace

std::unique_ptr<Objective> make_judge_objective(const ObjectiveInputs& inputs) {
  return std::make_unique<JudgeObjective>(inputs);
}

}  // namespace atelier
