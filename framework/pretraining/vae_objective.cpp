// AutoencoderKL (Rombach et al. 2022, arXiv:2112.10752, section 3.1) without the adversarial and perceptual terms: the
// pictures are small and free of grain.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/vae.h"
#include "framework/pretraining/base_recipe.h"
#include "framework/pretraining/component_files.h"
#include "framework/pretraining/encoded_pictures.h"
#include "framework/pretraining/initialise.h"
#include "framework/pretraining/objective.h"
#include "framework/pretraining/scene_set.h"
#include "framework/pretraining/vae_loss.h"

namespace atelier {
namespace {

constexpr std::int64_t kMeasured = 4096;  // pictures that the scaling factor is measured on

/// What decode() divides by while the factor is not known.
Json without_scaling(Json config) {
  config["scaling_factor"] = 1.0;
  return config;
}

class VAEObjective final : public Objective {
 public:
  explicit VAEObjective(const ObjectiveInputs& inputs)
      : recipe_(inputs.recipe),
        inputs_(inputs),
        component_(static_cast<std::int64_t>(recipe_.component)),
        config_(without_scaling(recipe_.model)),
        initialiser_(InitScheme::torch, recipe_.seed, component_, inputs.placement.device),
        vae_(config_, Weights(where(), {}, initialiser_.maker(), inputs.placement)),
        images_(inputs.scenes.images().to(inputs.placement.device)),
        order_(recipe_.seed, component_, inputs.scenes.size()),
        side_(inputs.scenes.side() / vae_.config().downscale()) {
    if (side_ * vae_.config().downscale() == inputs.scenes.side()) return;
    throw Error({.where = where(),
                 .found = fmt::format("pictures of {} pixels", inputs.scenes.side()),
                 .expected = fmt::format("a multiple of the {} pixels of a latent", vae_.config().downscale())});
  }

  std::map<std::string, Tensor*> parameters() override { return vae_.registry().parameters; }

  TensorMap draw(const StepDraws& draws) const override {
    const std::int64_t batch = recipe_.train.batch;
    return {{"rows", order_.take(draws.step() * batch, batch)},
            {"noise", draws.normal("noise", {batch, vae_.config().latent_channels, side_, side_})}};
  }

  Tensor loss(const TensorMap& drawn) override {
    const Tensor pixels = to_pixels(images_.index_select(0, drawn.at("rows")), at::kFloat);  // [B, 3, S, S]
    return vae_loss(vae_, pixels, drawn.at("noise"), recipe_.vae);
  }

  std::vector<std::filesystem::path> publish(const TensorMap& values) override;

 private:
  [[nodiscard]] std::string where() const { return recipe_.beside(recipe_.model_path).string(); }

  const BaseRecipe& recipe_;
  const ObjectiveInputs inputs_;
  std::int64_t component_;
  Json config_;
  Initialiser initialiser_;
  VAE vae_;
  Tensor images_;  // [N, S, S, 3] uint8 on the device
  EpochOrder order_;
  std::int64_t side_;  // of the latents
};

std::vector<std::filesystem::path> VAEObjective::publish(const TensorMap& values) {
  // The weights as a reader of the file will have them, in a network of their own.
  TensorMap placed;
  for (const auto& [name, value] : values) {
    placed.emplace(name, value.to(inputs_.placement.device, inputs_.placement.dtype));
  }
  const VAE published(config_, Weights(where(), std::move(placed), inputs_.placement));
  const std::int64_t stride = (images_.size(0) + kMeasured - 1) / kMeasured;
  const Tensor measured = images_.slice(0, std::nullopt, std::nullopt, stride);
  const double deviation = latent_deviation(encode_pictures(published, measured, inputs_.keep_on));
  if (!(deviation > 0.0) || !std::isfinite(deviation)) {
    throw Error({.where = where(),
                 .found = fmt::format("latents of deviation {}", deviation),
                 .expected = "latents that tell pictures apart",
                 .advice = "the training failed: use a smaller kl_weight or learning_rate"});
  }
  Json config = config_;
  config["scaling_factor"] = 1.0 / deviation;
  return write_component(inputs_.out / "vae", config, values);
}

}  // namespace

std::unique_ptr<Objective> make_vae_objective(const ObjectiveInputs& inputs) {
  return std::make_unique<VAEObjective>(inputs);
}

}  // namespace atelier
