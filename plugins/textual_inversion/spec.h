#pragma once

#include "framework/config/method_spec.h"

namespace atelier::textual_inversion {

inline constexpr const char* kStage = "embedding";
inline constexpr const char* kSteps = "embedding.max_train_steps";

/// Id of the training templates for the options `templates` and `learnable_property`.
[[nodiscard]] std::string template_list(const std::string& templates, const std::string& property);

/// What became of the arguments of diffusers' textual_inversion.py.
[[nodiscard]] std::vector<ArgumentSpec> published_arguments();

[[nodiscard]] MethodSpec make_spec();

}  // namespace atelier::textual_inversion
