#include "framework/models/siglip_text.h"

#include <ATen/ops/embedding.h>
#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/models/encoder_blocks.h"
#include "framework/models/encoder_config.h"
#include "framework/models/token_ids.h"

namespace atelier {
namespace {

SiglipText::Config parse(const Json& config, const std::string& where) {
  const ConfigReader reader(config, where);
  SiglipText::Config parsed;
  parsed.vocabulary = encoder_size(reader, "vocab_size", 32000);
  parsed.positions = encoder_size(reader, "max_position_embeddings", 64);
  parsed.layers = encoder_layers(reader);
  auto& block = parsed.block;
  block.width = encoder_size(reader, "hidden_size", 768);
  block.heads = encoder_heads(reader, "num_attention_heads", 12, block.width);
  block.hidden = encoder_size(reader, "intermediate_size", 3072);
  block.eps = reader.number("layer_norm_eps", 1e-6);
  block.activation = parse_activation(reader.text("hidden_act", "gelu_pytorch_tanh"), reader.where() + ": hidden_act");
  parsed.projection = encoder_size(reader, "projection_size", block.width);
  return parsed;
}

}  // namespace

SiglipText::SiglipText(const Json& config, Weights& weights)
    : config_(parse(config, weights.where())), placement_(weights.placement()), where_(weights.where()) {
  const Scope model = Scope(weights, registry_) / "text_model";
  const Scope embeddings = model / "embeddings";
  const auto width = config_.block.width;
  (embeddings / "token_embedding").parameter(tokens_, "weight", {config_.vocabulary, width});
  (embeddings / "position_embedding").parameter(positions_, "weight", {config_.positions, width});
  blocks_ = encoder_blocks(model / "encoder.layers", config_.layers, EncoderBlock::clip_names(), config_.block);
  norm_.emplace(model / "final_layer_norm", width, config_.block.eps);
  head_.emplace(model / "head", width, config_.projection);
}

Tensor SiglipText::forward(const Tensor& ids) const {
  if (ids.dim() != 2 || ids.numel() == 0 || ids.size(1) != config_.positions || at::isFloatingType(ids.scalar_type())) {
    throw Error({.where = where_ + ": input_ids",
                 .found = describe(ids.sizes(), ids.scalar_type()),
                 .expected = fmt::format("[B, {}] Long, padded", config_.positions)});
  }
  require_token_rows(ids, config_.vocabulary, where_);
  const Tensor rows = at::embedding(tokens_, ids.to(placement_.device, at::kLong)).to(placement_.dtype);  // [B, L, D]
  Tensor x = rows + positions_.to(placement_.dtype);
  for (const auto& block : blocks_) x = block->forward(x);
  return head_->forward(norm_->forward(x.select(1, config_.positions - 1)));
}

}  // namespace atelier
