#include "framework/models/siglip_vision.h"

#include <ATen/ops/chunk.h>
#include <ATen/ops/linear.h>

#include "framework/models/attention.h"
#include "framework/models/encoder_blocks.h"

namespace atelier {

VisionConfig parse_siglip_vision_config(const Json& config, const std::string& where) {
  const bool whole = ConfigReader(config, where).text("model_type", "") == "siglip";
  const ConfigReader reader(whole ? sub_config(config, "vision_config", where) : config, where);
  VisionConfig defaults;
  defaults.block.eps = 1e-6;
  defaults.block.activation = Activation::gelu_tanh;
  if (!reader.boolean("vision_use_head", true))
    reader.fail("vision_use_head", "false", "true: features are the head's");
  return parse_vision_config(reader, defaults);
}

SiglipVision::Head::Head(const Scope& scope, const EncoderBlock::Options& block)
    : options(block),
      out(scope / "attention.out_proj", block.width, block.width),
      fc1(scope / "mlp.fc1", block.width, block.hidden),
      fc2(scope / "mlp.fc2", block.hidden, block.width),
      norm(scope / "layernorm", block.width, block.eps) {
  scope.parameter(probe, "probe", {1, 1, block.width});
  (scope / "attention").parameter(weight, "in_proj_weight", {3 * block.width, block.width});
  (scope / "attention").parameter(bias, "in_proj_bias", {3 * block.width});
}

Tensor SiglipVision::Head::forward(const Tensor& x) const {
  const auto type = x.scalar_type();
  const auto weights = weight.to(type).chunk(3);
  const auto biases = bias.to(type).chunk(3);
  const Tensor q = at::linear(probe.to(type).expand({x.size(0), -1, -1}), weights[0], biases[0]);  // [B, 1, D]
  const Tensor k = at::linear(x, weights[1], biases[1]);
  const Tensor v = at::linear(x, weights[2], biases[2]);
  const Tensor h = out.forward(
      attention(q, k, v, {.heads = options.heads, .bias = {}, .causal = false, .observer = nullptr, .layer = {}}));
  return (h + fc2.forward(activate(fc1.forward(norm.forward(h)), options.activation))).select(1, 0);
}

SiglipVision::SiglipVision(const Json& config, Weights weights)
    : SiglipVision(parse_siglip_vision_config(config, weights.where()), weights) {
  weights.ignore_under("text_model.");
  weights.ignore("logit_bias");
  weights.check();
}

SiglipVision::SiglipVision(const VisionConfig& config, Weights& weights) : config_(config), where_(weights.where()) {
  const Scope root(weights, registry_);
  const auto& options = config_.block;
  const Scope model = weights.has("embeddings.patch_embedding.weight") ? root : root / "vision_model";
  const Scope embeddings = model / "embeddings";
  patches_.emplace(embeddings / "patch_embedding", config_, true);
  (embeddings / "position_embedding").parameter(positions_, "weight", {config_.side() * config_.side(), options.width});
  blocks_ = encoder_blocks(model / "encoder.layers", config_.layers, EncoderBlock::clip_names(), options);
  norm_.emplace(model / "post_layernorm", options.width, options.eps);
  head_.emplace(model / "head", options);
}

Tensor SiglipVision::embed(const Tensor& pixel_values) const {
  require_image_size(pixel_values, config_.image_size, where_);
  const Tensor patches = patches_->forward(pixel_values);  // [B, patches, D]
  return patches + positions_.to(patches.scalar_type());
}

Tensor SiglipVision::pool(const Tensor& x) const { return head_->forward(norm_->forward(x)); }

}  // namespace atelier
