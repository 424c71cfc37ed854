#pragma once

#include "framework/models/vae.h"
#include "framework/pretraining/base_recipe.h"

namespace atelier {

/// The loss of one batch, a float32 scalar: reconstruction of a sample of the posterior, and the posterior's divergence
/// from a unit Gaussian. pixels [B, 3, S, S] float32 in [-1, 1]; noise [B, C, h, w] float32. The VAE's scaling factor
/// must be 1.
[[nodiscard]] Tensor vae_loss(const VAE& vae, const Tensor& pixels, const Tensor& noise, const VAELossWeights& weights);

}  // namespace atelier
