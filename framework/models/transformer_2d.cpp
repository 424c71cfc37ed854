#include "framework/models/transformer_2d.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/chunk.h>
#include <ATen/ops/gelu.h>

namespace atelier {
namespace {

/// [B, C, H, W] -> [B, H·W, C]: a view when channels-last.
Tensor to_tokens(const Tensor& x) {
  return x.permute({0, 2, 3, 1}).reshape({x.size(0), x.size(2) * x.size(3), x.size(1)});
}

/// The inverse, with the height and width of `like`.
Tensor to_map(const Tensor& tokens, const Tensor& like) {
  return tokens.reshape({like.size(0), like.size(2), like.size(3), tokens.size(2)}).permute({0, 3, 1, 2});
}

/// Without the gradient of the first `count` of the tokens [B, L, C].
Tensor detach_first(const Tensor& tokens, std::int64_t count) {
  if (count == 0 || !tokens.requires_grad()) return tokens;
  const auto length = tokens.size(1);
  return at::cat({tokens.narrow(1, 0, count).detach(), tokens.narrow(1, count, length - count)}, 1);
}

}  // namespace

AttentionLayer::AttentionLayer(const Scope& scope, std::int64_t width, std::int64_t context_width, std::int64_t heads)
    : name_(scope.name()),
      heads_(heads),
      to_q_(scope / "to_q", width, width, false),
      to_k_(scope / "to_k", context_width, width, false),
      to_v_(scope / "to_v", context_width, width, false),
      to_out_(scope / "to_out.0", width, width) {}

Tensor AttentionLayer::forward(const Tensor& x, const Tensor& context, const UNetCall& call, bool cross) const {
  AttentionOptions options{.heads = heads_, .observe_apart = call.observe_apart, .layer = name_};
  const AttentionObserver summarise = [&call](std::string_view layer, const Tensor& probabilities) {
    if (call.observer) call.observer(layer, probabilities);
    call.summaries->layers.push_back(call.summaries->summarise(layer, probabilities));
  };
  if (cross && call.observer) options.observer = &call.observer;
  if (cross && call.summaries != nullptr) options.observer = &summarise;
  if (call.editor != nullptr && call.editor->wants(name_, x.size(1))) options.editor = call.editor;
  const auto detached = cross ? call.detached_text : 0;
  const Tensor mixed =
      attention(to_q_.forward(x, &call.adapters), detach_first(to_k_.forward(context, &call.adapters), detached),
                detach_first(to_v_.forward(context, &call.adapters), detached), options);
  return to_out_.forward(mixed, &call.adapters);
}

TransformerBlock::TransformerBlock(const Scope& scope, std::int64_t width, std::int64_t context_width,
                                   std::int64_t heads)
    : norm1_(scope / "norm1", width, 1e-5),
      attn1_(scope / "attn1", width, width, heads),
      norm2_(scope / "norm2", width, 1e-5),
      attn2_(scope / "attn2", width, context_width, heads),
      norm3_(scope / "norm3", width, 1e-5),
      ff_in_(scope / "ff.net.0.proj", width, 8 * width),
      ff_out_(scope / "ff.net.2", 4 * width, width) {}

Tensor TransformerBlock::forward(const Tensor& x, const Tensor& context, const UNetCall& call) const {
  const Tensor normed = norm1_.forward(x);
  Tensor hidden = x + attn1_.forward(normed, normed, call, false);
  hidden = hidden + attn2_.forward(norm2_.forward(hidden), context, call, true);
  const auto halves =
      ff_in_.forward(norm3_.forward(hidden), &call.adapters).chunk(2, -1);  // value, gate [B, N, 4·width]
  return hidden + ff_out_.forward(halves[0] * at::gelu(halves[1]), &call.adapters);
}

Transformer2D::Transformer2D(const Scope& scope, const Options& options)
    : options_(options), norm_(scope / "norm", options.groups, options.channels, 1e-6) {
  const auto channels = options.channels;
  if (options.linear_projection) {
    linear_in_.emplace(scope / "proj_in", channels, channels);
    linear_out_.emplace(scope / "proj_out", channels, channels);
  } else {
    const Conv2d::Geometry pointwise{.kernel = 1, .padding = 0};
    conv_in_.emplace(scope / "proj_in", channels, channels, pointwise);
    conv_out_.emplace(scope / "proj_out", channels, channels, pointwise);
  }
  for (std::int64_t i = 0; i < options.depth; ++i) {
    blocks_.push_back(std::make_unique<TransformerBlock>(scope / "transformer_blocks" / static_cast<std::size_t>(i),
                                                         channels, options.context_width, options.heads));
  }
}

Tensor Transformer2D::forward(const Tensor& x, const Tensor& context, const UNetCall& call) const {
  const Tensor normed = norm_.forward(x);
  Tensor tokens = linear_in_.has_value() ? linear_in_->forward(to_tokens(normed), &call.adapters)
                                         : to_tokens(conv_in_->forward(normed, &call.adapters));
  for (const auto& block : blocks_) tokens = block->forward(tokens, context, call);
  const Tensor projected = linear_out_.has_value() ? to_map(linear_out_->forward(tokens, &call.adapters), x)
                                                   : conv_out_->forward(to_map(tokens, x), &call.adapters);
  return projected + x;
}

}  // namespace atelier
