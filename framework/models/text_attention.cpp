#include "framework/models/text_attention.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include <limits>

#include "framework/core/error.h"
#include "framework/models/attention.h"
#include "framework/tensor/placement.h"

namespace atelier {
namespace {

void require(bool fits, const char* name, const Tensor& tensor, const std::string& expected) {
  if (fits) return;
  throw Error({.where = fmt::format("text attention edit: {}", name),
               .found = tensor.defined() ? describe(tensor.sizes(), tensor.scalar_type()) : "nothing",
               .expected = expected});
}

void check(const TextAttentionEdit& edit, const Tensor& q) {
  const auto batch = q.size(0);
  const auto length = q.size(1);
  const Tensor& bias = edit.bias;
  if (bias.defined()) {
    const bool fits = bias.dim() == 4 && (bias.size(0) == 1 || bias.size(0) == batch) && bias.size(1) == 1 &&
                      bias.size(2) == length && bias.size(3) == length;
    require(fits, "bias", bias, fmt::format("[1 or {}, 1, {}, {}]", batch, length, length));
  }
  const Tensor& keys = edit.extra_keys;
  const Tensor& values = edit.extra_values;
  const auto wide = [&](const Tensor& tensor) { return tensor.dim() == 2 && tensor.size(1) == q.size(2); };
  const auto expected = fmt::format("[P, {}], as many keys as values", q.size(2));
  require(keys.defined() == values.defined(), "extra_values", values, expected);
  if (keys.defined()) {
    require(wide(keys), "extra_keys", keys, expected);
    require(wide(values) && values.size(0) == keys.size(0), "extra_values", values, expected);
  }
  if (edit.rows.defined()) {
    const bool fits = edit.rows.dim() == 1 && edit.rows.size(0) == batch && edit.rows.scalar_type() == at::kBool;
    require(fits, "rows", edit.rows, fmt::format("[{}] Bool", batch));
  }
}

/// [1 or B, 1, L, P + L]: what is added to the logits of the extra keys and of the text's.
Tensor edited_bias(const TextAttentionEdit& edit, const Tensor& q) {
  const auto length = q.size(1);
  const auto options = q.options().requires_grad(false);
  Tensor bias;
  if (!edit.replaces_causal_mask) {
    bias = at::full({length, length}, -std::numeric_limits<double>::infinity(), options)
               .triu(1)
               .view({1, 1, length, length});
  }
  if (edit.bias.defined()) {
    const Tensor given = edit.bias.to(options.device(), q.scalar_type());
    bias = bias.defined() ? bias + given : given;
  } else if (!bias.defined()) {
    bias = at::full({1, 1, length, length}, 0.0, options);
  }
  if (!edit.extra_keys.defined()) return bias;
  return at::cat({at::full({bias.size(0), 1, length, edit.extra_keys.size(0)}, edit.extra_logit, options), bias}, -1);
}

/// [P, D] in front of [B, L, D] -> [B, P + L, D].
Tensor in_front(const Tensor& extra, const Tensor& x) {
  if (!extra.defined()) return x;
  return at::cat({extra.to(x.device(), x.scalar_type()).unsqueeze(0).expand({x.size(0), -1, -1}), x}, 1);
}

}  // namespace

Tensor text_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t heads,
                      const TextAttentionEdit* edit) {
  const auto plain = [&] {
    return attention(q, k, v, {.heads = heads, .bias = {}, .causal = true, .observer = nullptr, .layer = {}});
  };
  if (edit == nullptr) return plain();
  check(*edit, q);
  const AttentionOptions options{
      .heads = heads, .bias = edited_bias(*edit, q), .causal = false, .observer = nullptr, .layer = {}};
  const Tensor edited = attention(q, in_front(edit->extra_keys, k), in_front(edit->extra_values, v), options);
  if (!edit->rows.defined()) return edited;
  // Both forms over the whole batch: 77 positions are cheap, and rows without the edit come out bit-equal to a plain
  // call.
  return at::where(edit->rows.to(q.device()).view({-1, 1, 1}), edited, plain());
}

}  // namespace atelier
