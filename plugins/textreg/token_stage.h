#pragma once

#include <memory>

#include "framework/training/stage.h"
#include "plugins/textreg/settings.h"

namespace atelier::textreg {

/// Stage `ti`: one row of the token table learns under the identifier mask; after each step its norm is pulled towards
/// its initializer's.
///
/// `decay`: whether it is. With Settings::carry_gradients the low-rank updates of the next stage are attached already,
/// and what their gradients add up to is handed on.
[[nodiscard]] std::unique_ptr<Stage> make_token_stage(Settings settings, bool decay);

}  // namespace atelier::textreg
