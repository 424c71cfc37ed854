#include "framework/pretraining/clip_loss.h"

#include <ATen/ops/exp.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>

#include <cmath>

namespace atelier {
namespace {

Tensor normalised(const Tensor& x) {
  const Tensor wide = x.to(at::kFloat);
  return wide / at::linalg_vector_norm(wide, 2, at::IntArrayRef{-1}, /*keepdim=*/true);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  return -(targets * at::log_softmax(logits, 1)).sum(1).mean();
}

}  // namespace

Tensor contrastive_loss(const Tensor& a, const Tensor& b, const Tensor& targets, const Tensor& logit_scale) {
  const Tensor scale = at::exp(logit_scale.clamp_max(std::log(100.0)));
  const Tensor logits = scale * at::matmul(normalised(a), normalised(b).t());  // [B, B]
  return 0.5 * (cross_entropy(logits, targets) + cross_entropy(logits.t(), targets));
}

Tensor equal_targets(const Tensor& numbers) {
  const Tensor equal = (numbers.unsqueeze(0) == numbers.unsqueeze(1)).to(at::kFloat);
  return equal / equal.sum(1, /*keepdim=*/true);
}

Tensor clip_loss(const ClipFeatures& features, const Tensor& logit_scale, const Tensor& instance_logit_scale,
                 const ClipLossWeights& weights) {
  const auto pictures = features.images.chunk(2);
  const Tensor captions =
      contrastive_loss(features.images, features.texts, equal_targets(features.captions), logit_scale);
  const auto options = features.images.options().dtype(at::kFloat);
  const Tensor instances = contrastive_loss(
      pictures[0], pictures[1], at::eye(pictures[0].size(0), options.requires_grad(false)), instance_logit_scale);
  return weights.caption * captions + weights.instance * instances;
}

}  // namespace atelier
