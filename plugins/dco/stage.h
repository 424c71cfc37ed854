#pragma once

#include <memory>

#include "framework/training/stage.h"
#include "plugins/dco/settings.h"

namespace atelier::dco {

/// Stage `subject` or, without a token in the settings, `style`: low-rank updates of all attention projections of the
/// UNet, and the token, by the DCO loss. The reference is the same UNet in the same step, without the updates and
/// without gradient, on the caption with the class noun in the token's place (`style`: on the same caption).
[[nodiscard]] std::unique_ptr<Stage> make_stage(Settings settings);

/// Whether a layer is one of those that are updated: to_q, to_k, to_v or to_out.0 of an attention.
[[nodiscard]] bool is_attention_projection(std::string_view layer);
/// Those of the UNet, sorted.
[[nodiscard]] std::vector<std::string> attention_layers(Session& session);

}  // namespace atelier::dco
