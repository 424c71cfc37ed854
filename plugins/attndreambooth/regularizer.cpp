#include "plugins/attndreambooth/regularizer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>

namespace atelier::attndreambooth {
namespace {

/// [rows, n + 1] -> [rows]
Tensor gap(const Tensor& statistic) {
  const auto vectors = statistic.size(1) - 1;
  return (statistic.narrow(1, 0, vectors) - statistic.narrow(1, vectors, 1)).square().mean(1);
}

Term summed(const Tensor& rows, double weight) {
  return {.per_sample = rows, .weight = weight, .reduce = Term::Reduce::sum, .rows = Term::Rows::instance};
}

}  // namespace

Tensor attention_gaps(const Tensor& probabilities, const Tensor& positions, std::int64_t vectors, bool var) {
  const Tensor columns = positions.view({-1, 1, 1, 1}) + at::arange(vectors + 1, positions.options());
  auto shape = probabilities.sizes().vec();
  shape.back() = vectors + 1;
  const Tensor values = probabilities.gather(-1, columns.expand(shape)).flatten(1, 2);  // [rows, heads·pixels, n + 1]
  const Tensor means = values.mean(1, /*keepdim=*/true);
  const Tensor mean_gap = gap(means.squeeze(1));
  if (!var) return mean_gap.unsqueeze(0);
  const auto count = static_cast<double>(values.size(1));
  return at::stack({mean_gap, gap((values - means).square().sum(1) / (count - 1.0))});
}

Terms regularizer_terms(const std::vector<Tensor>& layers, const RegularizerWeights& weights) {
  Terms terms;
  if (!weights.any()) return terms;
  const Tensor gaps = at::stack(layers).mean(0);  // [1 or 2, rows]
  if (weights.mean != 0.0) terms["attn_mean"] = summed(gaps[0], weights.mean);
  if (weights.var != 0.0) terms["attn_var"] = summed(gaps[1], weights.var);
  return terms;
}

}  // namespace atelier::attndreambooth
