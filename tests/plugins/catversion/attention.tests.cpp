// Identities of attention with a concatenated prefix, against its residual form written down by hand: per head and
// query, o = o_base + λ (v* − o_base) with λ = σ(s* − logsumexp of the text's logits).
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>

#include <limits>

#include "framework/models/text_attention.h"
#include "tests/plugins/catversion/world.h"

using namespace atelier;

namespace {

constexpr std::int64_t kHeads = 3, kWidth = 12, kLength = 7;

Tensor by_heads(const Tensor& x, std::int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);  // [B, H, N, d]
}

struct Residual {
  Tensor base, lambda, value, out;  // [B, H, N, d], [B, H, N, 1], [B, H, N, d], [B, H, N, d]
};

Residual residual_form(const Tensor& q, const Tensor& k, const Tensor& v, const TextAttentionEdit& edit,
                       std::int64_t heads) {
  const Tensor queries = by_heads(q, heads), keys = by_heads(k, heads), values = by_heads(v, heads);
  const double scale = 1.0 / std::sqrt(static_cast<double>(queries.size(-1)));
  const auto later = at::ones({q.size(1), q.size(1)}, q.options().dtype(at::kBool)).triu(1);
  const Tensor logits = (at::matmul(queries, keys.transpose(-2, -1)) * scale)
                            .masked_fill(later, -std::numeric_limits<double>::infinity());
  const Tensor extra_keys = by_heads(edit.extra_keys.unsqueeze(0), heads);
  const Tensor extra_values = by_heads(edit.extra_values.unsqueeze(0), heads);
  const Tensor extra = at::matmul(queries, extra_keys.transpose(-2, -1)) * scale + edit.extra_logit;  // [B, H, N, P]
  Residual form;
  form.base = at::matmul(at::softmax(logits, -1), values);
  form.value = at::matmul(at::softmax(extra, -1), extra_values);
  form.lambda = at::sigmoid(at::logsumexp(extra, {-1}, true) - at::logsumexp(logits, {-1}, true));
  form.out = form.base + form.lambda * (form.value - form.base);
  return form;
}

struct Inputs {
  Tensor q, k, v;
  TextAttentionEdit edit;
};

Inputs inputs_of(c10::ScalarType dtype, std::int64_t entries, double bias) {
  const auto random = [&](at::IntArrayRef shape, std::uint64_t seed) { return tiny::random(shape, seed).to(dtype); };
  Inputs in{.q = random({2, kLength, kWidth}, 1),
            .k = random({2, kLength, kWidth}, 2),
            .v = random({2, kLength, kWidth}, 3),
            .edit = {}};
  in.edit.extra_keys = random({entries, kWidth}, 4);
  in.edit.extra_values = random({entries, kWidth}, 5);
  in.edit.extra_logit = bias;
  return in;
}

double distance(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("catversion: concatenation is the residual form, for one entry and for several", "[catversion][attention]") {
  const auto entries = GENERATE(1, 4);
  const auto bias = GENERATE(0.0, 1.0);
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Inputs in = inputs_of(dtype, entries, bias);
    const auto form = residual_form(in.q, in.k, in.v, in.edit, kHeads);
    const Tensor direct = by_heads(text_attention(in.q, in.k, in.v, kHeads, &in.edit), kHeads);
    CHECK(distance(direct, form.out) < (dtype == at::kDouble ? 1e-12 : 1e-5));
    CHECK(form.lambda.min().item<double>() > 0.0);
    CHECK(form.lambda.max().item<double>() < 1.0);
    CHECK(distance(form.base, by_heads(text_attention(in.q, in.k, in.v, kHeads, nullptr), kHeads)) <
          (dtype == at::kDouble ? 1e-12 : 1e-5));
  }
}

TEST_CASE("catversion: the published fixture's weights of the prefix", "[catversion][attention]") {
  const auto row = [](std::initializer_list<double> values) { return at::tensor(values, at::kDouble); };
  const Tensor q = row({1, 0, 2, -1, 0.5, -1, 0, 1, 2, 1, -1, 0}).view({1, 3, 4});
  const Tensor k = row({1, 1, 0, 0, 0, 1, 1, -1, -1, 0, 2, 1}).view({1, 3, 4});
  const Tensor v = row({1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}).view({1, 3, 4});
  TextAttentionEdit edit;
  edit.extra_keys = row({0.5, -0.5, 1, 0}).view({1, 4});
  edit.extra_values = row({2, 2, -2, 1}).view({1, 4});
  const auto lambda = [&] { return residual_form(q, k, v, edit, 1).lambda.flatten(); };
  const Tensor base = row({1, 0, 0, 0, 0.679179, 0.320821, 0, 0, 0.797876, 0.178030, 0.024094, 0});
  CHECK(distance(text_attention(q, k, v, 1, nullptr).flatten(), base) < 1e-6);
  CHECK(distance(lambda(), row({0.679179, 0.559253, 0.121767})) < 1e-6);
  const Tensor unbiased = row({1.679179, 1.358357, -1.358357, 0.679179, 1.417851, 1.259906, -1.118505, 0.559253,
                               0.944255, 0.399886, -0.222374, 0.121767});
  CHECK(distance(text_attention(q, k, v, 1, &edit).flatten(), unbiased) < 1e-6);
  edit.extra_logit = 1.0;
  CHECK(distance(lambda(), row({0.851953, 0.775238, 0.273726})) < 1e-6);
  const Tensor expected = row({1.851953, 1.703906, -1.703906, 0.851953, 1.703130, 1.622585, -1.550476, 0.775238,
                               1.126928, 0.676750, -0.529952, 0.273726});
  CHECK(distance(text_attention(q, k, v, 1, &edit).flatten(), expected) < 1e-6);
}

TEST_CASE("catversion: where the prefix stands makes no difference", "[catversion][attention]") {
  const Inputs in = inputs_of(at::kDouble, 2, 1.0);
  const Tensor queries = by_heads(in.q, kHeads);
  const auto behind = [&](const Tensor& text, const Tensor& extra) {
    return by_heads(at::cat({text, extra.unsqueeze(0).expand({2, -1, -1})}, 1), kHeads);
  };
  const Tensor keys = behind(in.k, in.edit.extra_keys), values = behind(in.v, in.edit.extra_values);
  Tensor logits = at::matmul(queries, keys.transpose(-2, -1)) / 2.0;  // heads of size 4
  const auto later = at::ones({kLength, kLength}, in.q.options().dtype(at::kBool)).triu(1);
  const Tensor mask =
      at::full({kLength, kLength}, 0.0, in.q.options()).masked_fill(later, -std::numeric_limits<double>::infinity());
  logits = logits + at::cat({mask, at::full({kLength, 2}, 1.0, in.q.options())}, 1);
  const Tensor out = at::matmul(at::softmax(logits, -1), values);
  CHECK(distance(out, by_heads(text_attention(in.q, in.k, in.v, kHeads, &in.edit), kHeads)) < 1e-12);
}

TEST_CASE("catversion: a prefix equal to the first key doubles its weight", "[catversion][attention]") {
  Inputs in = inputs_of(at::kDouble, 1, 0.0);
  in.q = in.q.narrow(0, 0, 1), in.k = in.k.narrow(0, 0, 1), in.v = in.v.narrow(0, 0, 1);
  in.edit.extra_keys = in.k[0].narrow(0, 0, 1);
  in.edit.extra_values = in.v[0].narrow(0, 0, 1);
  const Tensor queries = by_heads(in.q, kHeads), keys = by_heads(in.k, kHeads), values = by_heads(in.v, kHeads);
  const auto later = at::ones({kLength, kLength}, in.q.options().dtype(at::kBool)).triu(1);
  const Tensor weights = at::softmax(
      (at::matmul(queries, keys.transpose(-2, -1)) / 2.0).masked_fill(later, -std::numeric_limits<double>::infinity()),
      -1);
  const Tensor first = weights.narrow(-1, 0, 1);
  const Tensor expected = (at::matmul(weights, values) + first * values.narrow(2, 0, 1)) / (1.0 + first);
  CHECK(distance(by_heads(text_attention(in.q, in.k, in.v, kHeads, &in.edit), kHeads), expected) < 1e-12);
}

TEST_CASE("catversion: values equal to a query's own output leave that output as it is", "[catversion][attention]") {
  Inputs in = inputs_of(at::kDouble, 1, 1.0);
  in.q = in.q.narrow(0, 0, 1), in.k = in.k.narrow(0, 0, 1), in.v = in.v.narrow(0, 0, 1);
  const Tensor plain = text_attention(in.q, in.k, in.v, kHeads, nullptr);
  in.edit.extra_values = plain[0].narrow(0, 4, 1).clone();
  const Tensor edited = text_attention(in.q, in.k, in.v, kHeads, &in.edit);
  CHECK(distance(edited[0][4], plain[0][4]) < 1e-12);
  CHECK(distance(edited[0][3], plain[0][3]) > 1e-3);
}

TEST_CASE("catversion: gradients are those of the residual form", "[catversion][attention]") {
  Inputs in = inputs_of(at::kDouble, 1, 1.0);
  in.edit.extra_keys.requires_grad_();
  in.edit.extra_values.requires_grad_();
  const Tensor out = by_heads(text_attention(in.q, in.k, in.v, kHeads, &in.edit), kHeads);
  const Tensor weights = tiny::random(out.sizes(), 9).to(at::kDouble);
  (out * weights).sum().backward();
  const at::NoGradGuard no_grad;
  const auto form = residual_form(in.q, in.k, in.v, in.edit, kHeads);
  const Tensor queries = by_heads(in.q, kHeads);
  const Tensor values = by_heads(in.edit.extra_values.unsqueeze(0), kHeads);
  // d o_i / d v* = λ_i; d o_i / d k* = λ_i (v* − o_i) q_iᵀ / √d, with heads of size 4.
  const Tensor by_value = (form.lambda * weights).sum(at::IntArrayRef{0, 2});
  const Tensor by_key =
      ((weights * (values - form.out)).sum(-1, true) * form.lambda * queries / 2.0).sum(at::IntArrayRef{0, 2});
  CHECK(distance(in.edit.extra_values.grad().view({kHeads, 4}), by_value) < 1e-12);
  CHECK(distance(in.edit.extra_keys.grad().view({kHeads, 4}), by_key) < 1e-12);
}

TEST_CASE("catversion: the encoder's gradient is that of central differences", "[catversion][attention]") {
  Session session(tiny::base("sd15", c10::kDouble));
  const catversion::PrefixForm form{.length = 1, .layers = {1, 2}, .width = 32};
  const Tensor flat = tiny::random({form.size()}, 6).to(at::kDouble);
  const auto ids = session.tokenize({"a photo of a man"});
  Tensor weights;
  const auto value = [&](const Tensor& prefix) {
    catversion::put_prefix(session, form, prefix);
    const Tensor context = session.encode(ids).context;
    if (!weights.defined()) weights = tiny::random(context.sizes(), 8).to(at::kDouble);
    return (context * weights).sum();
  };
  const Tensor leaf = flat.clone().requires_grad_();
  value(leaf).backward();
  const at::NoGradGuard no_grad;
  for (std::int64_t place = 0; place < form.size(); place += 11) {
    const double step = 1e-5;
    Tensor above = flat.clone(), below = flat.clone();
    above[place] += step, below[place] -= step;
    const double slope = (value(above) - value(below)).item<double>() / (2 * step);
    CHECK(std::abs(slope - leaf.grad()[place].item<double>()) < 1e-7 * (1.0 + std::abs(slope)));
  }
}
