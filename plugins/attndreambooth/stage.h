#pragma once

#include <memory>

#include "plugins/attndreambooth/settings.h"

namespace atelier::attndreambooth {

/// One of the three stages. They differ in what learns: the token's vectors; the UNet's cross-attention (every weight
/// whose name holds `attn2`); the whole UNet. The loss is the same:
///
///   loss = mse + 1/L · Σ_layers Σ_rows [λ_mean · mean_i (μ_i − μ_n)² + λ_var · mean_i (σ²_i − σ²_n)²]
///
/// over all L cross-attention layers: means and unbiased variances of the attention (after the softmax, over heads and
/// pixels) to the token's vectors 0 … n-1 and to the token behind them. Nothing is detached. With prior preservation
/// the noise-prediction loss of the class's images is added; they have no part in the regulariser.
[[nodiscard]] std::unique_ptr<Stage> make_stage(Settings settings);

}  // namespace atelier::attndreambooth
