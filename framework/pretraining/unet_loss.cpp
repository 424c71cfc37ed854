#include "framework/pretraining/unet_loss.h"

namespace atelier {

Tensor unet_loss(const UNet& unet, const NoiseSchedule& schedule, const UNetBatch& batch, double gamma) {
  const Tensor noisy = schedule.add_noise(batch.latents, batch.noise, batch.timesteps);
  const Tensor predicted = unet.forward(
      {.sample = noisy, .timesteps = batch.timesteps, .context = batch.context, .text_embeds = {}, .time_ids = {}});
  const Tensor error = predicted.to(at::kFloat) - batch.noise;
  const Tensor rows = (error * error).mean(at::IntArrayRef{1, 2, 3});  // [B]
  if (gamma == 0.0) return rows.mean();
  const Tensor snr = schedule.snr(batch.timesteps);  // [B]
  return (rows * snr.clamp_max(gamma) / snr).mean();
}

}  // namespace atelier
