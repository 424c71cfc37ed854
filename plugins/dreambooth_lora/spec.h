#pragma once

#include <vector>

#include "framework/config/method_spec.h"

namespace atelier::dreambooth_lora {

inline constexpr const char* kStage = "lora";
inline constexpr const char* kSteps = "lora.max_train_steps";

/// The method as plain data: what help, planner and keys see.
[[nodiscard]] MethodSpec make_spec();

/// What became of every argument of the published programs (for Stable Diffusion and for SDXL).
[[nodiscard]] std::vector<ArgumentSpec> published_arguments();

}  // namespace atelier::dreambooth_lora
