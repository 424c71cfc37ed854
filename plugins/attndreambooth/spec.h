#pragma once

#include "framework/config/method_spec.h"

namespace atelier::attndreambooth {

inline constexpr const char* kMethod = "attndreambooth";
inline constexpr const char* kEmbedding = "embedding";
inline constexpr const char* kAttention = "attention";
inline constexpr const char* kIdentity = "identity";

/// The method as plain data: what help, planner and keys see.
[[nodiscard]] MethodSpec make_spec();

/// What became of every argument of the published training and sampling programs.
[[nodiscard]] std::vector<ArgumentSpec> published_arguments();

}  // namespace atelier::attndreambooth
