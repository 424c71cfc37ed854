#pragma once

#include "framework/config/method_spec.h"

namespace atelier::dco {

inline constexpr const char* kSubjectStage = "subject";
inline constexpr const char* kStyleStage = "style";
inline constexpr const char* kSteps = "max_train_steps";

/// Options, presets, stages and sampler, as help and planner see them.
[[nodiscard]] MethodSpec make_spec();

/// Every argument of the published program and what became of it.
[[nodiscard]] std::vector<ArgumentSpec> published_arguments();

}  // namespace atelier::dco
