#pragma once

#include <vector>

#include "framework/config/method_spec.h"

namespace atelier::catversion {

inline constexpr const char* kStage = "concat";
inline constexpr const char* kBaseRate = "base_learning_rate";
inline constexpr const char* kBaseRateOption = "concat.base_learning_rate";
inline constexpr const char* kSteps = "concat.max_train_steps";

/// What became of every argument of the published programs and of every key of their configuration.
[[nodiscard]] std::vector<ArgumentSpec> published_arguments();

[[nodiscard]] MethodSpec make_spec();

}  // namespace atelier::catversion
