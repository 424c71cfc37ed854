#pragma once

#include <memory>

#include "framework/training/stage.h"
#include "plugins/dreambooth_lora/settings.h"

namespace atelier::dreambooth_lora {

/// Stage `lora`: low-rank updates of the UNet, and where asked of the text encoders and a new token's vector, learn by
///
///     loss = mse + λ · prior      (Ruiz et al. 2023, Eq. 2; prior: the same over images of the class)
///
/// With snr_gamma each row of mse is weighed as in Hang et al. 2023 (arXiv:2303.09556).
[[nodiscard]] std::unique_ptr<Stage> make_lora_stage(Settings settings);

}  // namespace atelier::dreambooth_lora
