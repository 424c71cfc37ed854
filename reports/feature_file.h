#pragma once

#include <string>

#include "framework/core/feature_distance.h"

namespace atelier::reports {

/// "FILE" (its tensor `features`) or "FILE:TENSOR" of a safetensors file: [N, F] in F16, BF16, F32 or F64. A path that
/// exists as it stands is a path, colons included. Throws Error for anything else, and for values that are not finite.
[[nodiscard]] FeatureRows read_features(const std::string& text);

}  // namespace atelier::reports
