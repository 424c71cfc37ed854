#include "framework/models/clipseg.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/clipseg_parts.h"
#include "framework/models/encoder_config.h"

namespace atelier {
namespace {

constexpr std::size_t kMostExtracted = 100;
const std::string kClip = "clip.";

VisionConfig vision_config(const Json& config, const std::string& where) {
  VisionConfig defaults{.image_size = 224, .patch_size = 32, .layers = 12, .block = {}};
  defaults.block.eps = 1e-5;
  defaults.block.activation = Activation::quick_gelu;
  return parse_vision_config({sub_config(config, "vision_config", where), where}, defaults);
}

ClipTextConfig text_config(const Json& config, const Weights& weights, std::int64_t projection) {
  auto text = parse_clip_text_config(sub_config(config, "text_config", weights.where()), weights);
  text.projection = projection;
  return text;
}

/// The integers of a list that may hold 0, unlike ConfigReader::integers().
std::vector<std::int64_t> extracted(const ConfigReader& reader, std::int64_t layers) {
  constexpr const char* kKey = "extract_layers";
  const Json* value = reader.find(kKey);
  const Json listed = value != nullptr ? *value : Json{3, 6, 9};
  const auto expected = fmt::format("a list of layers from 0 to {}", layers - 1);
  if (!listed.is_array() || listed.empty() || listed.size() > kMostExtracted)
    reader.fail(kKey, listed.dump(), expected);
  std::vector<std::int64_t> numbers;
  for (const Json& item : listed) {
    const bool whole = item.is_number_integer();
    if (!whole || item.get<std::int64_t>() < 0 || item.get<std::int64_t>() >= layers) {
      reader.fail(kKey, listed.dump(), expected);
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

/// The text tower's tensors under the names that ClipText knows. What is missing or mis-shaped `weights` remembers.
TensorMap take_text(Weights& weights, const ClipTextConfig& config) {
  TensorMap tensors;
  const auto take = [&](const std::string& name, at::IntArrayRef shape) {
    Tensor tensor = weights.take(kClip + name, shape);
    if (tensor.defined()) tensors.emplace(name, std::move(tensor));
  };
  const auto take_layer = [&](const std::string& name, at::IntArrayRef shape) {
    take(name + ".weight", shape);
    take(name + ".bias", shape.slice(0, 1));
  };
  const auto width = config.width, hidden = config.hidden;
  take("text_model.embeddings.token_embedding.weight", {config.vocabulary, width});
  take("text_model.embeddings.position_embedding.weight", {config.positions, width});
  const auto& names = EncoderBlock::clip_names();
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const auto layer = fmt::format("text_model.encoder.layers.{}.", i);
    for (const auto& norm : {names.norm1, names.norm2}) take_layer(layer + norm, {width});
    for (const auto& linear : {names.query, names.key, names.value, names.out})
      take_layer(layer + linear, {width, width});
    take_layer(layer + names.fc1, {hidden, width});
    take_layer(layer + names.fc2, {width, hidden});
  }
  take_layer("text_model.final_layer_norm", {width});
  take("text_projection.weight", {*config.projection, width});
  return tensors;
}

}  // namespace

std::int64_t ClipSegConfig::upscale() const {
  return complex_convolution ? (vision.patch_size / 4) * (vision.patch_size / 4) : vision.patch_size;
}

ClipSegConfig parse_clipseg_config(const Json& config, const Weights& weights) {
  const ConfigReader reader(config, weights.where());
  if (reader.text("model_type", "clipseg") != "clipseg") {
    reader.fail("model_type", '"' + reader.text("model_type", "") + '"', "\"clipseg\"");
  }
  ClipSegConfig parsed;
  parsed.projection = encoder_size(reader, "projection_dim", 512);
  parsed.vision = vision_config(config, weights.where());
  parsed.text = text_config(config, weights, parsed.projection);
  parsed.extract_layers = extracted(reader, parsed.vision.layers);
  parsed.reduce = encoder_size(reader, "reduce_dim", 64);
  parsed.decoder_heads = encoder_heads(reader, "decoder_num_attention_heads", 4, parsed.reduce);
  parsed.decoder_hidden = encoder_size(reader, "decoder_intermediate_size", 2048);
  parsed.conditional_layer = reader.integer("conditional_layer", 0);
  const auto depth = static_cast<std::int64_t>(parsed.extract_layers.size());
  if (parsed.conditional_layer >= depth) {
    reader.fail("conditional_layer", std::to_string(parsed.conditional_layer),
                fmt::format("a decoder layer from 0 to {}", depth - 1));
  }
  parsed.complex_convolution = reader.boolean("use_complex_transposed_convolution", false);
  if (parsed.complex_convolution && (parsed.vision.patch_size < 4 || parsed.reduce < 2)) {
    reader.fail("use_complex_transposed_convolution", "true",
                "false: three convolutions need patches of at least 4 pixels and a reduce_dim of at least 2");
  }
  return parsed;
}

ClipSeg::ClipSeg(const Json& config, Weights weights)
    : config_(parse_clipseg_config(config, weights)), placement_(weights.placement()), where_(weights.where()) {
  const Scope root(weights, registry_);
  vision_ = std::make_unique<ClipSegVision>(root / "clip", config_.vision, config_.projection);
  decoder_ = std::make_unique<ClipSegDecoder>(root / "decoder", config_);
  Weights text(where_, take_text(weights, config_.text), placement_);
  weights.check();
  text_ = std::make_unique<ClipText>(config_.text, text);
  text.check();
  for (const auto& [name, slot] : text_->registry().parameters) registry_.parameters.emplace(kClip + name, slot);
  for (const auto& [name, layer] : text_->registry().linears) registry_.linears.emplace(kClip + name, layer);
}

ClipSeg::~ClipSeg() = default;

Tensor ClipSeg::prompt(const Tensor& ids) const { return text_->forward(ids).pooled; }

std::vector<Tensor> ClipSeg::activations(const Tensor& pixel_values) const {
  if (pixel_values.dim() != 4 || pixel_values.size(2) != pixel_values.size(3)) {
    throw Error({.where = where_ + ": pixel_values",
                 .found = describe(pixel_values.sizes(), pixel_values.scalar_type()),
                 .expected = fmt::format("[B, 3, S, S], S a multiple of {}", config_.vision.patch_size)});
  }
  return vision_->states(pixel_values, config_.extract_layers);
}

void ClipSeg::check(const std::vector<Tensor>& activations) const {
  const auto fits = [&](const Tensor& state) {
    const auto patches = state.dim() == 3 ? state.size(1) - 1 : 0;
    const auto side = square_side(patches);
    return side > 0 && side * side == patches && state.size(2) == config_.vision.block.width &&
           state.sizes() == activations.front().sizes();
  };
  if (activations.size() == config_.extract_layers.size() && std::ranges::all_of(activations, fits)) return;
  std::string found = fmt::format("{} states", activations.size());
  for (const auto& state : activations) found += ", " + describe(state.sizes(), state.scalar_type());
  throw Error({.where = where_ + ": activations",
               .found = found,
               .expected = fmt::format("{} states [B, 1 + a square number of patches, {}]",
                                       config_.extract_layers.size(), config_.vision.block.width)});
}

Tensor ClipSeg::decode(const std::vector<Tensor>& activations, const Tensor& conditional) const {
  check(activations);
  const auto batch = activations.front().size(0);
  if (conditional.dim() != 2 || conditional.size(0) != batch || conditional.size(1) != config_.projection) {
    throw Error({.where = where_ + ": conditional embeddings",
                 .found = describe(conditional.sizes(), conditional.scalar_type()),
                 .expected = fmt::format("[{}, {}], one for each picture", batch, config_.projection)});
  }
  return decoder_->forward(activations, conditional.to(placement_.device, placement_.dtype));
}

Tensor ClipSeg::forward(const Tensor& pixel_values, const Tensor& conditional) const {
  return decode(activations(pixel_values), conditional);
}

}  // namespace atelier
