// Against diffusers and transformers: make_references.py wrote references/.
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/models/clip_model.h"
#include "framework/pretraining/clip_loss.h"
#include "framework/pretraining/unet_loss.h"
#include "framework/pretraining/vae_loss.h"
#include "framework/tensor/tensor_io.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

/// A reference step: the model's parameters as leaves, inputs, loss and gradients.
struct Reference {
  Json config;
  TensorMap weights, inputs, gradients;
  Tensor loss;

  explicit Reference(const std::string& name) {
    const auto path = std::filesystem::path(ATELIER_SOURCE_DIR) / "tests/framework/pretraining/references" / name;
    config = read_json_file(path.string() + ".json");
    for (const auto& [key, tensor] : read_named_tensors(path.string() + ".safetensors").tensors) {
      if (key == "loss") loss = tensor;
      if (key.starts_with("in.")) inputs.emplace(key.substr(3), tensor);
      if (key.starts_with("grad.")) gradients.emplace(key.substr(5), tensor);
      if (key.starts_with("weight.")) weights.emplace(key.substr(7), tensor.clone().requires_grad_());
    }
  }

  [[nodiscard]] Weights model() const {
    TensorMap own = weights;
    own.erase("instance_logit_scale");
    return {"reference", own, Placement{}};
  }

  /// Every gradient within 1e-5 of the largest one of its tensor.
  void check(const Tensor& own) const {
    CHECK(own.item<double>() == Approx(loss.item<double>()).epsilon(1e-5));
    own.backward();
    for (const auto& [name, gradient] : gradients) {
      INFO(name);
      const Tensor& found = weights.at(name).grad();
      REQUIRE(found.defined());
      const double scale = gradient.abs().max().item<double>();
      CHECK((found - gradient).abs().max().item<double>() <= 2e-5 * scale + 1e-7);
    }
  }
};

}  // namespace

TEST_CASE("the UNet's loss and gradients are those of diffusers", "[pretraining][loss]") {
  const Reference reference("unet");
  const UNet unet(reference.config, reference.model());
  const NoiseSchedule schedule({.num_train_timesteps = 1000,
                                .beta_start = 0.00085,
                                .beta_end = 0.012,
                                .beta_schedule = BetaSchedule::scaled_linear});
  const auto& in = reference.inputs;
  reference.check(unet_loss(unet, schedule,
                            {.latents = in.at("latents"),
                             .noise = in.at("noise"),
                             .timesteps = in.at("timesteps"),
                             .context = in.at("context")},
                            5.0));
}

TEST_CASE("the VAE's loss and gradients are those of diffusers", "[pretraining][loss]") {
  const Reference reference("vae");
  const VAE vae(reference.config, reference.model());
  reference.check(vae_loss(vae, reference.inputs.at("pixels"), reference.inputs.at("noise"),
                           {.l1 = 1.0, .l2 = 0.5, .gradient = 0.7, .kl = 1e-3}));
}

TEST_CASE("CLIP's loss and gradients are those of transformers' model", "[pretraining][loss]") {
  const Reference reference("clip");
  const ClipModel clip(reference.config, reference.model());
  const ClipFeatures features{.images = clip.image_features(reference.inputs.at("pixels")),
                              .texts = clip.text_features(reference.inputs.at("ids")),
                              .captions = reference.inputs.at("captions")};
  reference.check(clip_loss(features, reference.weights.at("logit_scale"), reference.weights.at("instance_logit_scale"),
                            {.instance = 0.4, .caption = 0.6}));
}
