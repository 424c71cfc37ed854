// CLIPSeg's decoder (Lüddecke & Ecker 2022, arXiv:2112.10003) on a frozen CLIP: binary cross-entropy of the mask
// against what the prompt names.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/component_folder.h"
#include "framework/models/clipseg.h"
#include "framework/pretraining/base_recipe.h"
#include "framework/pretraining/component_files.h"
#include "framework/pretraining/initialise.h"
#include "framework/pretraining/objective.h"
#include "framework/pretraining/pipeline_parts.h"
#include "framework/pretraining/scene_pixels.h"
#include "framework/pretraining/scene_set.h"
#include "framework/tensor/tensor_io.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDecoder = "decoder.";
constexpr double kLogitScale = 2.6592;  // CLIPSeg has one and does not use it

/// CLIP's towers in the recipe's config.
Json with_clip(Json config, const Json& clip) {
  for (const char* key : {"text_config", "vision_config", "projection_dim"}) {
    if (clip.contains(key)) config[key] = clip.at(key);
  }
  return config;
}

/// As CLIPSeg names CLIP's tensors.
TensorMap clip_tensors(const ComponentFolder& clip, const Placement& placement) {
  TensorMap tensors;
  for (const auto& [name, view] : clip.weights().tensors) tensors.emplace("clip." + name, to_tensor(view, placement));
  return tensors;
}

/// The distinct subjects ("a cat") of a set, and which each scene shows.
struct Subjects {
  std::vector<std::string> texts;
  std::vector<std::int64_t> of_scene;

  explicit Subjects(const SceneSet& scenes) {
    for (const Scene& scene : scenes.scenes()) {
      const auto found = std::ranges::find(texts, scene.subject);
      of_scene.push_back(found - texts.begin());
      if (found == texts.end()) texts.push_back(scene.subject);
    }
  }
};

class SegmenterObjective final : public Objective {
 public:
  explicit SegmenterObjective(const ObjectiveInputs& inputs);

  std::map<std::string, Tensor*> parameters() override;
  TensorMap draw(const StepDraws& draws) const override;
  Tensor loss(const TensorMap& drawn) override;
  std::vector<fs::path> publish(const TensorMap& values) override;

 private:
  [[nodiscard]] std::string where() const { return recipe_.beside(recipe_.model_path).string(); }
  void encode_subjects(const Placement& placement);

  const BaseRecipe& recipe_;
  fs::path out_;
  std::int64_t component_;
  ComponentFolder clip_;
  ClipTokenizer tokenizer_;
  Json config_;
  Initialiser initialiser_;
  ClipSeg network_;
  Subjects subjects_;
  ClipPixels pixels_;
  EpochOrder order_;
  Tensor images_, masks_;  // [N, S, S, 3], [N, S, S] uint8 on the device
  Tensor prompts_;         // [subjects, P] on the device
};

SegmenterObjective::SegmenterObjective(const ObjectiveInputs& inputs)
    : recipe_(inputs.recipe),
      out_(inputs.out),
      component_(static_cast<std::int64_t>(recipe_.component)),
      clip_(open_component(out_ / recipe_.clip_input, "clip")),
      tokenizer_(ClipTokenizer::load(clip_.path())),
      config_(with_clip(recipe_.model, clip_.config())),
      initialiser_(InitScheme::torch, recipe_.seed, component_, inputs.placement.device),
      network_(config_,
               Weights(where(), clip_tensors(clip_, inputs.placement), initialiser_.maker(), inputs.placement)),
      subjects_(inputs.scenes),
      pixels_(inputs.placement.device),
      order_(recipe_.seed, component_, inputs.scenes.size()),
      images_(inputs.scenes.images().to(inputs.placement.device)),
      masks_(inputs.scenes.masks().to(inputs.placement.device)) {
  const auto& config = network_.config();
  const auto side = inputs.scenes.side() / config.vision.patch_size * config.upscale();
  if (config.vision.image_size != inputs.scenes.side() || side != inputs.scenes.side()) {
    throw Error({.where = where(),
                 .found = fmt::format("masks of {0}x{0} for pictures of {1}", side, config.vision.image_size),
                 .expected = fmt::format("both {}, the side of the pictures", inputs.scenes.side())});
  }
  encode_subjects(inputs.placement);
}

void SegmenterObjective::encode_subjects(const Placement& placement) {
  const at::NoGradGuard no_grad;
  std::vector<std::int64_t> flat;
  for (const auto& text : subjects_.texts) {
    const auto ids = tokenizer_.encode(text);
    flat.insert(flat.end(), ids.begin(), ids.end());
  }
  const Tensor ids = at::tensor(flat, at::TensorOptions().dtype(at::kLong)).view({-1, tokenizer_.length()});
  prompts_ = network_.prompt(ids.to(placement.device));
}

std::map<std::string, Tensor*> SegmenterObjective::parameters() {
  std::map<std::string, Tensor*> slots;
  for (const auto& [name, slot] : network_.registry().parameters) {
    if (name.starts_with(kDecoder)) slots.emplace(name, slot);
  }
  return slots;
}

// A negative row asks for another subject, which is not in the picture: its mask is empty.
TensorMap SegmenterObjective::draw(const StepDraws& draws) const {
  const std::int64_t batch = recipe_.train.batch;
  const auto count = static_cast<std::int64_t>(subjects_.texts.size());
  const Tensor rows = order_.take(draws.step() * batch, batch);
  const Tensor chances = draws.uniform("negative", {batch});
  const Tensor others = draws.below("other", std::max<std::int64_t>(count - 1, 1), batch);
  Tensor prompts = at::empty_like(rows), present = at::empty_like(chances);
  for (std::int64_t i = 0; i < batch; ++i) {
    const auto row = rows.const_data_ptr<std::int64_t>()[i];
    const auto own = subjects_.of_scene[static_cast<std::size_t>(row)];
    const bool negative = count > 1 && chances.const_data_ptr<float>()[i] < recipe_.segmenter.negative;
    const auto other = (own + 1 + others.const_data_ptr<std::int64_t>()[i]) % count;
    prompts.mutable_data_ptr<std::int64_t>()[i] = negative ? other : own;
    present.mutable_data_ptr<float>()[i] = negative ? 0.0f : 1.0f;
  }
  return {{"rows", rows}, {"prompts", prompts}, {"present", present}};
}

Tensor SegmenterObjective::loss(const TensorMap& drawn) {
  const Tensor& rows = drawn.at("rows");
  std::vector<Tensor> activations;
  {
    const at::NoGradGuard no_grad;
    activations = network_.activations(pixels_(images_.index_select(0, rows)));
  }
  const Tensor logits = network_.decode(activations, prompts_.index_select(0, drawn.at("prompts")));  // [B, S, S]
  const Tensor masks = masks_.index_select(0, rows).to(at::kFloat) / 255.0;
  return at::binary_cross_entropy_with_logits(logits.to(at::kFloat), masks * drawn.at("present").view({-1, 1, 1}));
}

std::vector<fs::path> SegmenterObjective::publish(const TensorMap& values) {
  TensorMap whole = clip_tensors(clip_, {.device = at::kCPU, .dtype = at::kHalf});
  whole.insert(values.begin(), values.end());
  whole.emplace("clip.logit_scale", at::full({}, kLogitScale, at::TensorOptions().dtype(at::kHalf)));
  auto files = write_component(out_ / "segmenter", config_, whole);
  for (auto& file : copy_tokenizer(clip_.path(), out_ / "segmenter")) files.push_back(std::move(file));
  const fs::path preprocessor = clip_.path() / "preprocessor_config.json";
  if (fs::is_regular_file(preprocessor)) {
    files.push_back(write_json(out_ / "segmenter" / "preprocessor_config.json", read_json_file(preprocessor)));
  }
  return files;
}

}  // namespace

std::unique_ptr<Objective> make_segmenter_objective(const ObjectiveInputs& inputs) {
  return std::make_unique<SegmenterObjective>(inputs);
}

}  // namespace atelier
