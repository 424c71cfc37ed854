#include "framework/models/vit.h"

#include <ATen/ops/cat.h>

#include "framework/models/encoder_blocks.h"

namespace atelier {
namespace {

VisionConfig vit_config(const Json& config, const std::string& where) {
  auto parsed = parse_vision_config({config, where}, {});
  parsed.block.eps = 1e-6;
  return parsed;
}

/// As checkpoints name the parts, or as transformers 5 does in memory: a plain dump of its state dict has those names.
EncoderBlock::Names names(bool in_memory) {
  const std::string attention = in_memory ? "attention." : "attention.attention.";
  return {.norm1 = "layernorm_before",
          .norm2 = "layernorm_after",
          .query = attention + (in_memory ? "q_proj" : "query"),
          .key = attention + (in_memory ? "k_proj" : "key"),
          .value = attention + (in_memory ? "v_proj" : "value"),
          .out = in_memory ? "attention.o_proj" : "attention.output.dense",
          .fc1 = in_memory ? "mlp.fc1" : "intermediate.dense",
          .fc2 = in_memory ? "mlp.fc2" : "output.dense"};
}

}  // namespace

ViT::ViT(const Json& config, Weights weights) : config_(vit_config(config, weights.where())) {
  const Scope root(weights, registry_);
  const Scope model = weights.has("vit.embeddings.cls_token") ? root / "vit" : root;
  const Scope embeddings = model / "embeddings";
  const auto width = config_.block.width;
  embeddings.parameter(class_row_, "cls_token", {1, 1, width});
  embeddings.parameter(positions_, "position_embeddings", {1, 1 + config_.side() * config_.side(), width});
  patches_.emplace(embeddings / "patch_embeddings.projection", config_, true);
  const bool in_memory = (model / "layers.0.attention.q_proj").has("weight");
  blocks_ =
      encoder_blocks(model / (in_memory ? "layers" : "encoder.layer"), config_.layers, names(in_memory), config_.block);
  norm_.emplace(model / "layernorm", width, config_.block.eps);
  weights.ignore_under((model / "pooler").name() + ".");  // untrained in DINO
  weights.check();
}

Tensor ViT::embed(const Tensor& pixel_values) const {
  const Tensor patches = patches_->forward(pixel_values);  // [B, patches, D]
  const auto type = patches.scalar_type();
  const auto precise = type == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor positions =
      fit_positions(positions_, pixel_values.size(2) / config_.patch_size, pixel_values.size(3) / config_.patch_size,
                    PositionInterpolation::size, precise);
  return at::cat({class_row_.to(type).expand({patches.size(0), -1, -1}), patches}, 1) + positions.to(type);
}

Tensor ViT::pool(const Tensor& x) const { return norm_->forward(x.select(1, 0)); }

}  // namespace atelier
