#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atelier::reports {

/// Features of pictures, one row each.
struct FeatureRows {
  std::string where;  ///< file and tensor, for errors
  std::int64_t rows = 0, width = 0;
  std::vector<double> values;  ///< [rows, width], row-major

  [[nodiscard]] const double* row(std::int64_t i) const { return values.data() + i * width; }
};

/// "FILE" (its tensor `features`) or "FILE:TENSOR" of a safetensors file: [N, F] in F16, BF16, F32 or F64. A path that
/// exists as it stands is a path, colons included. Throws Error for anything else, and for values that are not finite.
[[nodiscard]] FeatureRows read_features(const std::string& text);

}  // namespace atelier::reports
