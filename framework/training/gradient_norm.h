#pragma once

#include "framework/training/flat_parameters.h"

namespace atelier {

/// The global L2 norm of the gradients, as a scalar on the device. `clipping`: of the groups that clip (norm_only too);
/// else of all trained groups. Accumulated gradients never count.
[[nodiscard]] Tensor gradient_norm(const FlatParameters& parameters, bool clipping);

/// Multiplies the gradients of the trained groups that clip by min(1, max_norm / (norm + 1e-6)), as
/// torch.nn.utils.clip_grad_norm_ does.
void clip_gradients_(const FlatParameters& parameters, const Tensor& norm, double max_norm);

}  // namespace atelier
