#pragma once

#include <functional>

#include "framework/models/vae.h"

namespace atelier {

/// The posterior of every picture of a set, without gradient. images [N, S, S, 3] uint8 -> [N, C, h, w] float32 each,
/// on the VAE's device. `keep_on` is called between batches.
[[nodiscard]] Posterior encode_pictures(const VAE& vae, const Tensor& images, const std::function<void()>& keep_on);

/// Standard deviation of the latents that a posterior gives, over everything (Rombach et al. 2022, section G: the
/// latents are scaled to unit variance). Waits for the device.
[[nodiscard]] double latent_deviation(const Posterior& posterior);

}  // namespace atelier
