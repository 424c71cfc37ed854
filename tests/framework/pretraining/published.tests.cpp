// What a base training writes is a base model like any other.
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/formats/checkpoint.h"
#include "framework/formats/component_folder.h"
#include "framework/models/base.h"
#include "framework/models/classifier.h"
#include "framework/models/clip_model.h"
#include "framework/models/clipseg.h"
#include "framework/models/session.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"
#include "framework/pretraining/encoded_pictures.h"
#include "framework/pretraining/pipeline_parts.h"
#include "framework/tensor/tensor_io.h"
#include "tests/framework/pretraining/training_support.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

bool all_half(const std::filesystem::path& file) {
  for (const auto& [name, tensor] : read_named_tensors(file).tensors) {
    if (tensor.scalar_type() != at::kHalf) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("trained components make a base model that sessions use", "[pretraining][published]") {
  const at::NoGradGuard no_grad;
  const TemporaryFolder folder;
  const TrainingPlace place(folder.path());
  for (const char* component : {"vae", "clip", "unet", "segmenter", "judge"}) {
    static_cast<void>(train(place.request(component, 3)));
  }
  const auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(place.out));
  Session session(std::make_shared<const Base>(checkpoint, Placement{}));
  const TextCondition text = session.encode({"a photo of a red cat in a city"});
  const Tensor noise = at::ones({1, 4, 8, 8});
  const Tensor predicted = session.unet().forward({.sample = noise,
                                                   .timesteps = at::full({1}, 500, at::kLong),
                                                   .context = text.context,
                                                   .text_embeds = {},
                                                   .time_ids = {}});
  CHECK(predicted.isfinite().all().item<bool>());
  CHECK(session.vae().decode(noise).sizes() == at::IntArrayRef({1, 3, 16, 16}));

  const auto open = [&](const char* name) {
    const auto component = ComponentFolder::open(place.out / name);
    return std::pair(component.config(), Weights(component.weights(), Placement{}));
  };
  const auto [clip_config, clip_weights] = open("clip");
  const ClipModel clip(clip_config, clip_weights);
  const auto ids = session.tokenize({"a photo of a red cat in a city"}).towers.at(0);
  // One text tower, in two files.
  CHECK(at::equal(clip.text().forward(ids).last_hidden_state, text.context));
  const auto [segmenter_config, segmenter_weights] = open("segmenter");
  const ClipSeg segmenter(segmenter_config, segmenter_weights);
  CHECK(segmenter.forward(at::zeros({1, 3, 16, 16}), clip.text_features(ids)).sizes() == at::IntArrayRef({1, 16, 16}));
  const auto [judge_config, judge_weights] = open("judge");
  CHECK(AttributeClassifier(judge_config, judge_weights).forward(at::zeros({2, 3, 16, 16})).size() == 3);
  for (const char* file :
       {"vae/diffusion_pytorch_model.safetensors", "clip/model.safetensors", "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors", "segmenter/model.safetensors", "judge/model.safetensors"}) {
    INFO(file);
    CHECK(all_half(place.out / file));
  }
}

TEST_CASE("the VAE's scaling factor brings the published latents to unit variance", "[pretraining][published]") {
  const TemporaryFolder folder;
  const TrainingPlace place(folder.path());
  static_cast<void>(train(place.request("vae", 20)));
  const auto vae = open_vae(place.out, {});
  const SceneSet scenes = SceneSet::open(place.data / "train");
  const double deviation = latent_deviation(encode_pictures(*vae, scenes.images(), [] {}));
  CHECK(deviation * vae->config().scaling_factor == Approx(1.0).epsilon(1e-6));
}
