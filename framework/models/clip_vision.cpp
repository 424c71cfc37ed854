#include "framework/models/clip_vision.h"

#include <ATen/ops/cat.h>

#include "framework/models/encoder_blocks.h"
#include "framework/models/encoder_config.h"

namespace atelier {
namespace {

VisionConfig clip_defaults() {
  VisionConfig defaults{.image_size = 224, .patch_size = 32, .layers = 12, .block = {}};
  defaults.block.eps = 1e-5;
  defaults.block.activation = Activation::quick_gelu;
  return defaults;
}

}  // namespace

ClipVisionConfig parse_clip_vision_config(const Json& config, const std::string& where) {
  const ConfigReader reader(config, where);
  const std::int64_t projection = encoder_size(reader, "projection_dim", 512);
  if (reader.text("model_type", "") != "clip") return {parse_vision_config(reader, clip_defaults()), projection};
  const Json& vision = sub_config(config, "vision_config", where);
  return {parse_vision_config({vision, where}, clip_defaults()), projection};
}

ClipVision::ClipVision(const Json& config, Weights weights)
    : ClipVision(parse_clip_vision_config(config, weights.where()), weights) {
  weights.ignore_under("text_model.");
  weights.ignore("text_projection.weight");
  weights.check();
}

ClipVision::ClipVision(const ClipVisionConfig& config, Weights& weights) : config_(config), where_(weights.where()) {
  const Scope root(weights, registry_);
  const auto& options = config.vision.block;
  const Scope model = weights.has("embeddings.class_embedding") ? root : root / "vision_model";
  const Scope embeddings = model / "embeddings";
  embeddings.parameter(class_row_, "class_embedding", {options.width});
  patches_.emplace(embeddings / "patch_embedding", config.vision, false);
  (embeddings / "position_embedding")
      .parameter(positions_, "weight", {1 + config.vision.side() * config.vision.side(), options.width});
  norm_in_.emplace(model / "pre_layrnorm", options.width, options.eps);  // spelled so in every checkpoint
  blocks_ = encoder_blocks(model / "encoder.layers", config.vision.layers, EncoderBlock::clip_names(), options);
  norm_out_.emplace(model / "post_layernorm", options.width, options.eps);
  projection_.emplace(root / "visual_projection", options.width, config.projection, false);
}

Tensor ClipVision::embed(const Tensor& pixel_values) const {
  require_image_size(pixel_values, config_.vision.image_size, where_);
  const Tensor patches = patches_->forward(pixel_values);  // [B, patches, D]
  const auto type = patches.scalar_type();
  const Tensor classes = class_row_.to(type).expand({patches.size(0), 1, -1});
  return norm_in_->forward(at::cat({classes, patches}, 1) + positions_.to(type));
}

Tensor ClipVision::pool(const Tensor& x) const { return projection_->forward(norm_out_->forward(x.select(1, 0))); }

}  // namespace atelier
