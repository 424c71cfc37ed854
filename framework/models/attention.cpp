#include "framework/models/attention.h"

#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "framework/models/flash_attention.h"

namespace atelier {
namespace {

/// [B, N, heads·d] -> [B, heads, N, d], a view.
Tensor split_heads(const Tensor& x, std::int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

/// [B, heads, N, L] float32 (float64).
Tensor probabilities_of(const Tensor& q, const Tensor& k, const AttentionOptions& options) {
  const auto type = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor logits = at::matmul(q.to(type), k.to(type).transpose(-2, -1)) / std::sqrt(static_cast<double>(q.size(-1)));
  if (options.bias.defined()) logits = logits + options.bias.to(type);
  if (options.causal) {
    const auto mask = at::ones({q.size(-2), k.size(-2)}, q.options().dtype(at::kBool)).tril();
    logits = logits.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity());
  }
  return at::softmax(logits, -1);
}

/// [B, heads, N, d] -> [B, N, heads·d].
Tensor join_heads(const Tensor& x) { return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)}); }

/// By the fastest kernel that there is; the probabilities are never formed.
Tensor fused(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  if (!options.causal && !options.bias.defined() && flash::supports(q, k, v, options.heads))
    return flash::attention(q, k, v, options.heads);
  const auto bias = options.bias.defined() ? std::optional<Tensor>(options.bias.to(q.scalar_type())) : std::nullopt;
  return join_heads(at::scaled_dot_product_attention(split_heads(q, options.heads), split_heads(k, options.heads),
                                                     split_heads(v, options.heads), bias, 0.0, options.causal));
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  if (options.observer == nullptr && options.editor == nullptr) return fused(q, k, v, options);
  Tensor probabilities = probabilities_of(split_heads(q, options.heads), split_heads(k, options.heads), options);
  if (options.editor != nullptr) probabilities = options.editor->edit(options.layer, probabilities);
  if (options.observer != nullptr) (*options.observer)(options.layer, probabilities);
  if (options.editor == nullptr && options.observe_apart) return fused(q, k, v, options);
  return join_heads(at::matmul(probabilities.to(v.scalar_type()), split_heads(v, options.heads)));
}

}  // namespace atelier
