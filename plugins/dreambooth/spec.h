#pragma once

#include <vector>

#include "framework/config/method_spec.h"

namespace atelier::dreambooth {

inline constexpr const char* kStage = "finetune";
inline constexpr const char* kSteps = "finetune.max_train_steps";

/// What became of the arguments of diffusers' train_dreambooth.py.
[[nodiscard]] std::vector<ArgumentSpec> published_arguments();

[[nodiscard]] MethodSpec make_spec();

}  // namespace atelier::dreambooth
