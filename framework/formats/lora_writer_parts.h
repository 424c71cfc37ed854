#pragma once

#include <string>
#include <utility>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"

namespace atelier {

/// "unet.mid_block.…" → {"unet", "mid_block.…"}. Throws Error without a dot.
[[nodiscard]] std::pair<std::string, std::string> split_module(const std::string& module);

/// A whole number as an integer, anything else as it is.
[[nodiscard]] Json json_number(double value);

/// view · scale as a row-major tensor of another type. Throws Error (`where`) for dtypes that are not floating.
[[nodiscard]] TensorView scaled(const TensorView& view, double scale, Dtype dtype, const std::string& where);

}  // namespace atelier
