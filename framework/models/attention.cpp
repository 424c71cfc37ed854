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

/// The probabilities themselves, for who asks to see them.
Tensor observed(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  const auto type = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor logits = at::matmul(q.to(type), k.to(type).transpose(-2, -1)) / std::sqrt(static_cast<double>(q.size(-1)));
  if (options.bias.defined()) logits = logits + options.bias.to(type);
  if (options.causal) {
    const auto mask = at::ones({q.size(-2), k.size(-2)}, q.options().dtype(at::kBool)).tril();
    logits = logits.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity());
  }
  const Tensor probabilities = at::softmax(logits, -1);
  (*options.observer)(options.layer, probabilities);
  return at::matmul(probabilities.to(v.scalar_type()), v);
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  if (options.observer == nullptr && !options.causal && !options.bias.defined() &&
      flash::supports(q, k, v, options.heads)) {
    return flash::attention(q, k, v, options.heads);
  }
  const Tensor queries = split_heads(q, options.heads);
  const Tensor keys = split_heads(k, options.heads);
  const Tensor values = split_heads(v, options.heads);
  Tensor out;
  if (options.observer != nullptr) {
    out = observed(queries, keys, values, options);
  } else {
    const auto bias = options.bias.defined() ? std::optional<Tensor>(options.bias.to(q.scalar_type())) : std::nullopt;
    out = at::scaled_dot_product_attention(queries, keys, values, bias, 0.0, options.causal);
  }
  return out.transpose(1, 2).reshape(q.sizes());
}

}  // namespace atelier
