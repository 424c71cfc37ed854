#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "framework/core/json.h"
#include "framework/training/recipe.h"

namespace atelier {

/// What a recipe trains. The order is the ordinal that draws depend on: append only.
enum class BaseComponent { vae, clip, unet, segmenter, judge };

[[nodiscard]] std::string_view component_name(BaseComponent component);

/// loss = Σ weight · term; every term is a mean over elements, but for the divergence: a sum over one picture's
/// latents, averaged over the batch (Rombach et al. 2022, as diffusers computes both).
struct VAELossWeights {
  double l1 = 1.0;
  double l2 = 0.0;
  double gradient = 0.0;  ///< L1 of the differences between neighbouring pixels: keeps edges
  double kl = 1e-6;
};

struct ClipLossWeights {
  double instance = 0.5;                ///< two pictures of one instance
  double caption = 0.5;                 ///< a picture and its caption
  double initial_logit_scale = 2.6592;  ///< ln(1 / 0.07), as published
  std::int64_t shift = 0;               ///< pictures are moved by up to so many pixels along each axis
};

struct UNetLossOptions {
  double snr_gamma = 5.0;      ///< min-SNR (Hang et al. 2023, arXiv:2303.09556); 0: every timestep counts alike
  double empty_caption = 0.1;  ///< share of rows that are trained without their caption
};

struct SegmenterOptions {
  double negative = 0.2;  ///< share of rows whose prompt names what is not there: the mask is empty
};

struct JudgeOptions {
  std::int64_t shift = 4;  ///< pictures are moved by up to so many pixels along each axis
};

/// A training of one component, as a YAML file says it. Paths are as written; `model`, `tokenizer` and `scheduler` lie
/// beside the file, `scenes` below the data folder, inputs below the pipeline's folder.
struct BaseRecipe {
  std::filesystem::path path;
  BaseComponent component = BaseComponent::vae;
  std::string model_path;
  Json model;  ///< the component's config.json
  std::string scenes;
  std::string base_input = ".";     ///< unet: a pipeline folder with vae, text_encoder and tokenizer
  std::string clip_input = "clip";  ///< segmenter: the folder of a CLIPModel
  std::string tokenizer;            ///< clip: the folder of its tokenizer
  std::string scheduler;            ///< unet: a scheduler_config.json

  TrainSpec train;
  std::int64_t steps = 0;
  double learning_rate = 0.0;
  double weight_decay = 1e-2;  ///< of matrices and kernels; biases, norms and scalars never decay
  double ema_decay = 0.0;      ///< of the moving average that is published; 0: none
  std::uint64_t seed = 0;
  std::int64_t snapshot_every = 200;

  VAELossWeights vae;
  ClipLossWeights clip;
  UNetLossOptions unet;
  SegmenterOptions segmenter;
  JudgeOptions judge;

  /// Everything that determines the result, but for the data: settings and configs, with their defaults filled in.
  [[nodiscard]] Json resolved() const;
  /// A path of the recipe, from the recipe's own folder.
  [[nodiscard]] std::filesystem::path beside(const std::string& name) const;
};

/// Throws a usage Error with every fault of the file, with line and column, and an Error for a config that cannot be
/// read. `steps` replaces the recipe's own.
[[nodiscard]] BaseRecipe read_base_recipe(const std::filesystem::path& path, std::optional<std::int64_t> steps = {});

}  // namespace atelier
