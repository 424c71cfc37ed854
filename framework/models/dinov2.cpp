#include "framework/models/dinov2.h"

#include <ATen/ops/cat.h>

#include "framework/models/encoder_blocks.h"
#include "framework/models/encoder_config.h"

namespace atelier {
namespace {

/// The feed-forward width is the ratio's, or with SwiGLU two thirds of it, rounded up to a multiple of 8.
std::int64_t hidden_width(const ConfigReader& reader, std::int64_t width, bool swiglu) {
  const double ratio = reader.number("mlp_ratio", 4);
  if (!(ratio > 0 && ratio < 100)) reader.fail("mlp_ratio", std::to_string(ratio), "a number from 0 to 100");
  const auto full = static_cast<std::int64_t>(static_cast<double>(width) * ratio);
  return swiglu ? (full * 2 / 3 + 7) / 8 * 8 : full;
}

VisionConfig dinov2_config(const Json& config, const std::string& where) {
  const ConfigReader reader(config, where);
  VisionConfig defaults{.image_size = 224, .patch_size = 14, .layers = 12, .block = {}};
  defaults.block.eps = 1e-6;
  auto parsed = parse_vision_config(reader, defaults);
  parsed.block.swiglu = reader.boolean("use_swiglu_ffn", false);
  parsed.block.hidden = hidden_width(reader, parsed.block.width, parsed.block.swiglu);
  parsed.block.layer_scale = true;
  return parsed;
}

/// As checkpoints name the parts, or as transformers 5 does in memory: a plain dump of its state dict has those names.
EncoderBlock::Names names(bool swiglu, bool in_memory) {
  const std::string attention = in_memory ? "attention." : "attention.attention.";
  EncoderBlock::Names names{.norm1 = "norm1",
                            .norm2 = "norm2",
                            .query = attention + (in_memory ? "q_proj" : "query"),
                            .key = attention + (in_memory ? "k_proj" : "key"),
                            .value = attention + (in_memory ? "v_proj" : "value"),
                            .out = in_memory ? "attention.o_proj" : "attention.output.dense",
                            .fc1 = "mlp.fc1",
                            .fc2 = "mlp.fc2"};
  if (!swiglu) return names;
  names.fc1 = in_memory ? "mlp.gate_proj" : "mlp.weights_in";
  names.fc2 = in_memory ? "mlp.down_proj" : "mlp.weights_out";
  if (in_memory) names.up = "mlp.up_proj";
  return names;
}

}  // namespace

Dinov2::Dinov2(const Json& config, Weights weights, PositionInterpolation positions)
    : config_(dinov2_config(config, weights.where())), interpolation_(positions) {
  const ConfigReader reader(config, weights.where());
  const Scope root(weights, registry_);
  const Scope embeddings = root / "embeddings";
  const auto width = config_.block.width;
  embeddings.parameter(class_row_, "cls_token", {1, 1, width});
  embeddings.parameter(positions_, "position_embeddings", {1, 1 + config_.side() * config_.side(), width});
  if (reader.text("model_type", "") == "dinov2_with_registers") {
    embeddings.parameter(registers_, "register_tokens",
                         {1, encoder_size(reader, "num_register_tokens", 4, 1000), width});
    interpolation_ = PositionInterpolation::antialias;
  }
  weights.ignore("embeddings.mask_token");  // of training
  patches_.emplace(embeddings / "patch_embeddings.projection", config_, true);
  const auto part_names = names(config_.block.swiglu, root.has("encoder.layer.0.attention.q_proj.weight"));
  blocks_ = encoder_blocks(root / "encoder.layer", config_.layers, part_names, config_.block);
  norm_.emplace(root / "layernorm", width, config_.block.eps);
  weights.check();
}

Tensor Dinov2::embed(const Tensor& pixel_values) const {
  const Tensor patches = patches_->forward(pixel_values);  // [B, patches, D]
  const auto batch = patches.size(0);
  const auto type = patches.scalar_type();
  const Tensor positions = fit_positions(positions_, pixel_values.size(2) / config_.patch_size,
                                         pixel_values.size(3) / config_.patch_size, interpolation_, at::kFloat);
  Tensor x = at::cat({class_row_.to(type).expand({batch, -1, -1}), patches}, 1) + positions.to(type);
  if (registers_.defined()) {  // after the class token, without positions
    x = at::cat({x.narrow(1, 0, 1), registers_.to(type).expand({batch, -1, -1}), x.narrow(1, 1, x.size(1) - 1)}, 1);
  }
  return x;
}

Tensor Dinov2::pool(const Tensor& x) const { return norm_->forward(x.select(1, 0)); }

}  // namespace atelier
