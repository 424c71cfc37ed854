#pragma once

#include <optional>

#include "framework/models/session.h"
#include "framework/models/unet.h"
#include "framework/training/stage.h"

namespace atelier {

/// The UNet's answer for one piece of a batch, [B, 4, h, w] float32 (float64 when computed so). One row of text stands
/// for all rows of the piece. SDXL's time ids come from the batch. Activations are kept unless the session
/// recomputes them (TrainSpec::recompute_activations).
[[nodiscard]] Tensor predict(Session& session, const Batch& batch, const TextCondition& text,
                             const UNetCall& call = {});

/// Mean squared error of each row, [B]: ‖prediction − target‖² / elements (Ho et al. 2020, Eq. 14, as the mean).
[[nodiscard]] Tensor row_mse(const Tensor& prediction, const Tensor& target);

/// min(SNR, γ) / SNR of each training timestep of the base (Hang et al. 2023, arXiv:2303.09556), plus 1 where it
/// predicts the velocity: [T] float32 on its device.
[[nodiscard]] Tensor min_snr_weights(const Session& session, double gamma);

/// The noise-prediction loss: the term `mse`, over all rows. With prior preservation (Ruiz et al. 2023, Eq. 2): `mse`
/// over the concept's rows and `prior`, with this weight, over those of its class.
[[nodiscard]] Terms diffusion_terms(const Tensor& prediction, const Batch& batch,
                                    std::optional<double> prior_weight = std::nullopt);

}  // namespace atelier
