#pragma once

#include <vector>

#include "framework/config/method_spec.h"

namespace atelier::custom_diffusion {

inline constexpr const char* kStage = "kv";
inline constexpr const char* kSteps = "kv.max_train_steps";

// Prompt lists, by id: what captions say of a photo that is small or too large in its picture; {} is the caption.
inline constexpr const char* kFarCaptions = "customdiffusion/train_far";
inline constexpr const char* kNearCaptions = "customdiffusion/train_near";

/// The method as plain data: what help, planner and keys see.
[[nodiscard]] MethodSpec make_spec();

/// What became of every argument of the published program.
[[nodiscard]] std::vector<ArgumentSpec> published_arguments();

}  // namespace atelier::custom_diffusion
