#pragma once

#include "framework/models/unet.h"
#include "framework/schedulers/noise_schedule.h"

namespace atelier {

/// One batch of the denoising objective, on the device.
struct UNetBatch {
  Tensor latents;    ///< [B, C, h, w] float32, scaled
  Tensor noise;      ///< [B, C, h, w] float32
  Tensor timesteps;  ///< [B] int64
  Tensor context;    ///< [B, L, D]
};

/// E ‖ε − ε_θ(z_t, t, c)‖² (Rombach et al. 2022, Eq. 3), each row weighted by min(SNR, γ) / SNR (Hang et al. 2023, Eq.
/// 5 for noise prediction); gamma 0: all alike. A float32 scalar. The schedule lies on the device.
[[nodiscard]] Tensor unet_loss(const UNet& unet, const NoiseSchedule& schedule, const UNetBatch& batch, double gamma);

}  // namespace atelier
