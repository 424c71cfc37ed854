#include "framework/models/encoder_block.h"

#include <ATen/ops/chunk.h>
#include <ATen/ops/silu.h>

#include "framework/models/attention.h"

namespace atelier {

const EncoderBlock::Names& EncoderBlock::clip_names() {
  static const Names names{.norm1 = "layer_norm1",
                           .norm2 = "layer_norm2",
                           .query = "self_attn.q_proj",
                           .key = "self_attn.k_proj",
                           .value = "self_attn.v_proj",
                           .out = "self_attn.out_proj",
                           .fc1 = "mlp.fc1",
                           .fc2 = "mlp.fc2"};
  return names;
}

EncoderBlock::EncoderBlock(const Scope& scope, const Names& names, const Options& options)
    : options_(options),
      norm1_(scope / names.norm1, options.width, options.eps),
      norm2_(scope / names.norm2, options.width, options.eps),
      query_(scope / names.query, options.width, options.width, options.qkv_bias),
      key_(scope / names.key, options.width, options.width, options.qkv_bias),
      value_(scope / names.value, options.width, options.width, options.qkv_bias),
      out_(scope / names.out, options.width, options.width),
      fc1_(scope / names.fc1, options.width, options.swiglu && names.up.empty() ? 2 * options.hidden : options.hidden),
      fc2_(scope / names.fc2, options.hidden, options.width) {
  if (!names.up.empty()) up_.emplace(scope / names.up, options.width, options.hidden);
  if (!options.layer_scale) return;
  (scope / "layer_scale1").parameter(scale1_, "lambda1", {options.width});
  (scope / "layer_scale2").parameter(scale2_, "lambda1", {options.width});
}

Tensor EncoderBlock::attend(const Tensor& x, const BlockCall& call) const {
  const Tensor q = query_.forward(x, call.adapters);
  const Tensor k = key_.forward(x, call.adapters);
  const Tensor v = value_.forward(x, call.adapters);
  const Tensor mixed =
      call.causal ? text_attention(q, k, v, options_.heads, call.edit)
                  : attention(q, k, v,
                              {.heads = options_.heads, .bias = {}, .causal = false, .observer = nullptr, .layer = {}});
  return out_.forward(mixed, call.adapters);
}

Tensor EncoderBlock::feed_forward(const Tensor& x, const AdapterCall* call) const {
  const Tensor hidden = fc1_.forward(x, call);
  if (!options_.swiglu) return fc2_.forward(activate(hidden, options_.activation), call);
  if (up_.has_value()) return fc2_.forward(at::silu(hidden) * up_->forward(x, call), call);
  const auto halves = hidden.chunk(2, -1);  // gate, value [B, L, hidden]
  return fc2_.forward(at::silu(halves[0]) * halves[1], call);
}

Tensor EncoderBlock::forward(const Tensor& x, const BlockCall& call) const {
  const auto scaled = [](const Tensor& y, const Tensor& scale) {
    return scale.defined() ? y * scale.to(y.scalar_type()) : y;
  };
  const Tensor hidden = x + scaled(attend(norm1_.forward(x), call), scale1_);
  return hidden + scaled(feed_forward(norm2_.forward(hidden), call.adapters), scale2_);
}

}  // namespace atelier
