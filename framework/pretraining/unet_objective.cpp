// Text-conditioned latent diffusion (Rombach et al. 2022, arXiv:2112.10752) on cached latents and text states.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/unet.h"
#include "framework/pretraining/base_recipe.h"
#include "framework/pretraining/caption_table.h"
#include "framework/pretraining/component_files.h"
#include "framework/pretraining/encoded_pictures.h"
#include "framework/pretraining/initialise.h"
#include "framework/pretraining/objective.h"
#include "framework/pretraining/pipeline_parts.h"
#include "framework/pretraining/scene_set.h"
#include "framework/pretraining/unet_loss.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

class UNetObjective final : public Objective {
 public:
  explicit UNetObjective(const ObjectiveInputs& inputs);

  std::map<std::string, Tensor*> parameters() override { return unet_.registry().parameters; }
  TensorMap draw(const StepDraws& draws) const override;
  Tensor loss(const TensorMap& drawn) override;
  std::vector<fs::path> publish(const TensorMap& values) override;

 private:
  [[nodiscard]] std::string where() const { return recipe_.beside(recipe_.model_path).string(); }
  void cache_latents(const ObjectiveInputs& inputs, const fs::path& pipeline);
  void cache_captions(const ObjectiveInputs& inputs, const fs::path& pipeline);
  [[nodiscard]] Json model_index() const;

  const BaseRecipe& recipe_;
  fs::path out_;
  std::int64_t component_;
  Initialiser initialiser_;
  UNet unet_;
  CaptionTable captions_;
  EpochOrder order_;
  Json scheduler_config_;
  TrainingNoise noise_;
  Tensor means_, deviations_;  // [N, C, h, w] float32 on the device, scaled
  Tensor contexts_;            // [captions, L, D] on the device
};

UNetObjective::UNetObjective(const ObjectiveInputs& inputs)
    : recipe_(inputs.recipe),
      out_(inputs.out),
      component_(static_cast<std::int64_t>(recipe_.component)),
      initialiser_(InitScheme::unet, recipe_.seed, component_, inputs.placement.device),
      unet_(recipe_.model, Weights(where(), {}, initialiser_.maker(), inputs.placement)),
      captions_(inputs.scenes, ClipTokenizer::load(inputs.out / recipe_.base_input / "tokenizer")),
      order_(recipe_.seed, component_, inputs.scenes.size()),
      scheduler_config_(read_json_file(recipe_.beside(recipe_.scheduler))),
      noise_(read_training_noise(scheduler_config_)) {
  if (noise_.prediction_type != PredictionType::epsilon) {
    throw Error({.where = recipe_.beside(recipe_.scheduler).string() + ": prediction_type",
                 .found = "another prediction",
                 .expected = "epsilon"});
  }
  noise_.schedule = noise_.schedule.to(inputs.placement.device);
  const fs::path pipeline = out_ / recipe_.base_input;
  cache_captions(inputs, pipeline);
  cache_latents(inputs, pipeline);
}

void UNetObjective::cache_captions(const ObjectiveInputs& inputs, const fs::path& pipeline) {
  const auto text = open_text_encoder(pipeline, inputs.placement);
  const auto width = unet_.config().blocks.front().context_width;
  if (text->config().width != width) {
    throw Error(
        {.where = where() + ": cross_attention_dim",
         .found = std::to_string(width),
         .expected = fmt::format("{}, the width of {}", text->config().width, (pipeline / "text_encoder").string())});
  }
  contexts_ = encode_captions(*text, captions_.ids(), inputs.keep_on);
}

void UNetObjective::cache_latents(const ObjectiveInputs& inputs, const fs::path& pipeline) {
  const auto vae = open_vae(pipeline, inputs.placement);
  const auto& config = vae->config();
  const std::int64_t side = inputs.scenes.side() / config.downscale();
  if (config.latent_channels != unet_.config().in_channels || side != unet_.config().sample_size) {
    throw Error({.where = where(),
                 .found = fmt::format("in_channels {} and sample_size {}", unet_.config().in_channels,
                                      unet_.config().sample_size),
                 .expected = fmt::format("{} and {}: what {} makes of pictures of {} pixels", config.latent_channels,
                                         side, (pipeline / "vae").string(), inputs.scenes.side())});
  }
  const Posterior posterior = encode_pictures(*vae, inputs.scenes.images(), inputs.keep_on);
  means_ = posterior.mean * config.scaling_factor;
  deviations_ = posterior.std * config.scaling_factor;
}

TensorMap UNetObjective::draw(const StepDraws& draws) const {
  const std::int64_t batch = recipe_.train.batch;
  std::vector<std::int64_t> shape = means_.sizes().vec();
  shape[0] = batch;
  const Tensor rows = order_.take(draws.step() * batch, batch);
  const Tensor chosen = captions_.choose(rows, draws.uniform("caption", {batch}));
  const Tensor empty = draws.uniform("empty", {batch}) < recipe_.unet.empty_caption;
  return {{"rows", rows},
          {"captions", chosen.masked_fill(empty, 0)},
          {"timesteps", draws.below("timestep", noise_.schedule.num_train_timesteps(), batch)},
          {"posterior", draws.normal("posterior", shape)},
          {"noise", draws.normal("noise", shape)}};
}

Tensor UNetObjective::loss(const TensorMap& drawn) {
  const Tensor& rows = drawn.at("rows");
  const Tensor latents = means_.index_select(0, rows) + deviations_.index_select(0, rows) * drawn.at("posterior");
  return unet_loss(unet_, noise_.schedule,
                   {.latents = latents,
                    .noise = drawn.at("noise"),
                    .timesteps = drawn.at("timesteps"),
                    .context = contexts_.index_select(0, drawn.at("captions"))},
                   recipe_.unet.snr_gamma);
}

Json UNetObjective::model_index() const {
  const std::string scheduler = scheduler_config_.value("_class_name", "DDIMScheduler");
  return {{"_class_name", "StableDiffusionPipeline"},
          {"_diffusers_version", "0.42.1"},
          {"feature_extractor", {nullptr, nullptr}},
          {"image_encoder", {nullptr, nullptr}},
          {"requires_safety_checker", false},
          {"safety_checker", {nullptr, nullptr}},
          {"scheduler", {"diffusers", scheduler}},
          {"text_encoder", {"transformers", "CLIPTextModel"}},
          {"tokenizer", {"transformers", "CLIPTokenizer"}},
          {"unet", {"diffusers", "UNet2DConditionModel"}},
          {"vae", {"diffusers", "AutoencoderKL"}}};
}

std::vector<fs::path> UNetObjective::publish(const TensorMap& values) {
  auto files = write_component(out_ / "unet", recipe_.model, values);
  files.push_back(write_json(out_ / "scheduler" / "scheduler_config.json", scheduler_config_));
  // The index promises every part: it is written where they lie beside the UNet.
  const bool whole =
      fs::is_directory(out_ / "vae") && fs::is_directory(out_ / "text_encoder") && fs::is_directory(out_ / "tokenizer");
  if (whole) files.push_back(write_json(out_ / "model_index.json", model_index()));
  return files;
}

}  // namespace

std::unique_ptr<Objective> make_unet_objective(const ObjectiveInputs& inputs) {
  return std::make_unique<UNetObjective>(inputs);
}

}  // namespace atelier
