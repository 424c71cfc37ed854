#include "framework/models/clip_text.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/models/config_reader.h"
#include "framework/models/encoder_blocks.h"
#include "framework/models/encoder_config.h"
#include "framework/models/token_ids.h"

namespace atelier {
namespace {

constexpr const char* kProjection = "text_projection.weight";

bool has_projection(const ConfigReader& reader, const Weights& weights) {
  auto classes = reader.texts("architectures", {});
  classes.push_back(reader.text("_class_name", ""));
  const auto names = [&](std::string_view name) { return std::ranges::find(classes, name) != classes.end(); };
  if (names("CLIPTextModelWithProjection")) return true;
  return !names("CLIPTextModel") && weights.has(kProjection);
}

/// The names of older checkpoints, `text_model.…`, whatever the file at hand has: adapters and artifacts use them.
template <class Pointer>
void add_level(std::map<std::string, Pointer>& entries) {
  std::map<std::string, Pointer> named;
  for (const auto& [name, pointer] : entries) {
    const bool complete = name.starts_with("text_model.") || name.starts_with("text_projection");
    named.emplace(complete ? name : "text_model." + name, pointer);
  }
  entries.swap(named);
}

}  // namespace

ClipTextConfig parse_clip_text_config(const Json& config, const Weights& weights) {
  const ConfigReader reader(config, weights.where());
  ClipTextConfig parsed;
  parsed.width = encoder_size(reader, "hidden_size", 512);
  parsed.layers = encoder_layers(reader);
  parsed.heads = encoder_heads(reader, "num_attention_heads", 8, parsed.width);
  parsed.hidden = encoder_size(reader, "intermediate_size", 2048);
  parsed.vocabulary = encoder_size(reader, "vocab_size", 49408);
  parsed.positions = encoder_size(reader, "max_position_embeddings", 77);
  parsed.eos_token = reader.integer("eos_token_id", 49407);
  if (has_projection(reader, weights)) parsed.projection = encoder_size(reader, "projection_dim", 512);
  parsed.eps = reader.number("layer_norm_eps", 1e-5);
  parsed.activation = parse_activation(reader.text("hidden_act", "quick_gelu"), reader.where() + ": hidden_act");
  return parsed;
}

ClipText::ClipText(const Json& config, Weights weights) : ClipText(parse_clip_text_config(config, weights), weights) {
  weights.check();
}

ClipText::ClipText(const ClipTextConfig& config, Weights& weights)
    : config_(config), placement_(weights.placement()), where_(weights.where()) {
  const Scope root(weights, registry_);
  const bool bare = weights.has("embeddings.token_embedding.weight");
  const Scope model = bare ? root : root / "text_model";
  const Scope embeddings = model / "embeddings";
  (embeddings / "token_embedding").parameter(token_table_, "weight", {config.vocabulary, config.width});
  (embeddings / "position_embedding").parameter(position_table_, "weight", {config.positions, config.width});
  const EncoderBlock::Options options{.width = config.width,
                                      .heads = config.heads,
                                      .hidden = config.hidden,
                                      .eps = config.eps,
                                      .activation = config.activation};
  blocks_ = encoder_blocks(model / "encoder.layers", config.layers, EncoderBlock::clip_names(), options);
  final_norm_.emplace(model / "final_layer_norm", config.width, config.eps);
  if (config.projection) projection_.emplace(root / "text_projection", config.width, *config.projection, false);
  add_level(registry_.parameters);
  add_level(registry_.linears);
}

Tensor ClipText::embed_tokens(const Tensor& ids, const Tensor& extra_tokens) const {
  if (extra_tokens.defined() && (extra_tokens.dim() != 2 || extra_tokens.size(1) != config_.width)) {
    throw Error({.where = where_ + ": extra tokens",
                 .found = describe(extra_tokens.sizes(), extra_tokens.scalar_type()),
                 .expected = fmt::format("[n, {}]", config_.width)});
  }
  if (ids.dim() != 2 || ids.numel() == 0 || at::isFloatingType(ids.scalar_type())) {
    throw Error({.where = where_ + ": input_ids",
                 .found = describe(ids.sizes(), ids.scalar_type()),
                 .expected = "[B, L] Long"});
  }
  const auto rows = config_.vocabulary + (extra_tokens.defined() ? extra_tokens.size(0) : 0);
  const auto high = require_token_rows(ids, rows, where_);
  const Tensor index = ids.to(placement_.device, at::kLong);
  const auto gather = [&](const Tensor& table, const Tensor& at_rows) {
    return at::embedding(table, at_rows).to(placement_.dtype);
  };
  if (high < config_.vocabulary) return gather(token_table_, index);
  const Tensor learned = gather(extra_tokens.to(placement_.device), (index - config_.vocabulary).clamp_min(0));
  const Tensor known = gather(token_table_, index.clamp_max(config_.vocabulary - 1));
  return at::where((index >= config_.vocabulary).unsqueeze(-1), learned, known);
}

Tensor ClipText::eos_positions(const Tensor& ids, Pooling pooling, std::int64_t eos_token) const {
  if (pooling == Pooling::config && config_.eos_token == 2) return ids.argmax(-1);
  const Tensor matches = ids == (pooling == Pooling::config ? config_.eos_token : eos_token);
  if (pooling == Pooling::eos && !matches.any(-1).all().item<bool>()) {
    throw Error({.where = where_ + ": input_ids",
                 .found = "a row without the end token",
                 .expected = fmt::format("id {} in every row", eos_token),
                 .advice = "the pooled vector is read there"});
  }
  return matches.to(at::kInt).argmax(-1);  // the first; 0 where there is none, as in the reference
}

TextOutput ClipText::forward(const Tensor& ids, const TextCall& call) const {
  const Tensor rows = embed_tokens(ids, call.extra_tokens);
  return encode(rows, eos_positions(ids, call.pooling, call.eos_token), call);
}

const TextAttentionEdit* ClipText::edit_of(const TextCall& call, std::int64_t layer) const {
  const auto found = call.edits.find(layer);
  if (found != call.edits.end()) return &found->second;
  return call.edit_all ? &*call.edit_all : nullptr;
}

void ClipText::check(const TextCall& call) const {
  for (const auto& [layer, edit] : call.edits) {
    if (layer >= 0 && layer < config_.layers) continue;
    throw Error({.where = where_ + ": text attention edit",
                 .found = fmt::format("layer {}", layer),
                 .expected = fmt::format("a layer from 0 to {}", config_.layers - 1)});
  }
}

TextOutput ClipText::encode(const Tensor& token_rows, const Tensor& eos_positions, const TextCall& call) const {
  if (token_rows.dim() != 3 || token_rows.size(1) > config_.positions || token_rows.size(2) != config_.width) {
    throw Error({.where = where_ + ": token rows",
                 .found = describe(token_rows.sizes(), token_rows.scalar_type()),
                 .expected = fmt::format("[B, at most {}, {}]", config_.positions, config_.width)});
  }
  check(call);
  TextOutput output;
  const Tensor positions = position_table_.narrow(0, 0, token_rows.size(1)).to(placement_.dtype);
  Tensor hidden = token_rows.to(placement_.device, placement_.dtype) + positions;  // [B, L, D]
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    if (call.hidden_states) output.hidden_states.push_back(hidden);
    if (i + 1 == config_.layers) output.penultimate = hidden;
    const BlockCall block{.adapters = &call.adapters, .causal = true, .edit = edit_of(call, i)};
    hidden = blocks_[static_cast<std::size_t>(i)]->forward(hidden, block);
  }
  if (call.hidden_states) output.hidden_states.push_back(hidden);
  output.last_hidden_state = final_norm_->forward(hidden);
  const Tensor batch = at::arange(token_rows.size(0), at::TensorOptions().device(placement_.device).dtype(at::kLong));
  output.pooled = output.last_hidden_state.index({batch, eos_positions.to(placement_.device, at::kLong)});  // [B, D]
  if (projection_) output.pooled = projection_->forward(output.pooled, &call.adapters);
  return output;
}

}  // namespace atelier
