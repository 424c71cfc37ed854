#include "framework/pretraining/vae_loss.h"

#include <ATen/ops/abs.h>
#include <ATen/ops/diff.h>
#include <ATen/ops/l1_loss.h>
#include <ATen/ops/log.h>
#include <ATen/ops/mse_loss.h>

namespace atelier {
namespace {

/// Mean over the elements of both differences, rows and columns apart.
Tensor gradient_difference(const Tensor& error) {
  return at::abs(at::diff(error, 1, 2)).mean() + at::abs(at::diff(error, 1, 3)).mean();
}

/// ½ Σ (μ² + σ² − 1 − ln σ²) over one picture's latents, averaged over the batch.
Tensor divergence(const Tensor& mean, const Tensor& std) {
  const Tensor each = mean * mean + std * std - 1.0 - 2.0 * at::log(std);
  return 0.5 * each.sum(at::IntArrayRef{1, 2, 3}).mean();
}

}  // namespace

Tensor vae_loss(const VAE& vae, const Tensor& pixels, const Tensor& noise, const VAELossWeights& weights) {
  const Posterior posterior = vae.encode(pixels);
  const Tensor mean = posterior.mean.to(at::kFloat), std = posterior.std.to(at::kFloat);
  const Tensor decoded = vae.decode(mean + std * noise).to(at::kFloat);
  Tensor loss = weights.kl * divergence(mean, std);
  if (weights.l1 > 0.0) loss = loss + weights.l1 * at::l1_loss(decoded, pixels);
  if (weights.l2 > 0.0) loss = loss + weights.l2 * at::mse_loss(decoded, pixels);
  if (weights.gradient > 0.0) loss = loss + weights.gradient * gradient_difference(decoded - pixels);
  return loss;
}

}  // namespace atelier
