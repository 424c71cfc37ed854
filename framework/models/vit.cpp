#include "framework/models/vit.h"

#include <ATen/ops/cat.h>

namespace atelier {
namespace {

VisionConfig parse(const Json& config, const std::string& where) {
  auto parsed = parse_vision_config({config, where}, {});
  parsed.block.eps = 1e-6;
  return parsed;
}

const EncoderBlock::Names& names() {
  static const EncoderBlock::Names names{.norm1 = "layernorm_before",
                                         .norm2 = "layernorm_after",
                                         .query = "attention.attention.query",
                                         .key = "attention.attention.key",
                                         .value = "attention.attention.value",
                                         .out = "attention.output.dense",
                                         .fc1 = "intermediate.dense",
                                         .fc2 = "output.dense"};
  return names;
}

}  // namespace

ViT::ViT(const Json& config, Weights weights) : config_(parse(config, weights.where())) {
  const Scope root(weights, registry_);
  const Scope model = weights.has("vit.embeddings.cls_token") ? root / "vit" : root;
  const Scope embeddings = model / "embeddings";
  const auto width = config_.block.width;
  embeddings.parameter(class_row_, "cls_token", {1, 1, width});
  embeddings.parameter(positions_, "position_embeddings", {1, 1 + config_.side() * config_.side(), width});
  patches_.emplace(embeddings / "patch_embeddings.projection", config_, true);
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    const Scope layer = model / "encoder.layer" / static_cast<std::size_t>(i);
    blocks_.push_back(std::make_unique<EncoderBlock>(layer, names(), config_.block));
  }
  norm_.emplace(model / "layernorm", width, config_.block.eps);
  weights.ignore_under((model / "pooler").name() + ".");  // untrained in DINO
  weights.check();
}

Tensor ViT::features(const Tensor& pixel_values) const {
  const Tensor patches = patches_->forward(pixel_values);  // [B, patches, D]
  const auto type = patches.scalar_type();
  const auto precise = type == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor positions =
      fit_positions(positions_, pixel_values.size(2) / config_.patch_size, pixel_values.size(3) / config_.patch_size,
                    PositionInterpolation::size, precise);
  Tensor x = at::cat({class_row_.to(type).expand({patches.size(0), -1, -1}), patches}, 1) + positions.to(type);
  for (const auto& block : blocks_) x = block->forward(x);
  return norm_->forward(x.select(1, 0));
}

}  // namespace atelier
