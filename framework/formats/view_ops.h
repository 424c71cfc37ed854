#pragma once

#include <cstdint>

#include "framework/files/tensor_view.h"

namespace atelier {

/// Views of views: no byte is copied.

/// The matrix with rows and columns exchanged, through its strides. Throws Error (`where`) unless it has two
/// dimensions.
[[nodiscard]] TensorView transposed(const TensorView& view, const std::string& where);
/// Part `index` of `parts` equal pieces of the first dimension. Throws Error when it does not divide.
[[nodiscard]] TensorView part_of_rows(const TensorView& view, std::int64_t index, std::int64_t parts,
                                      const std::string& where);
/// [c, d, 1] or [c, d, 1, 1] as [c, d]; anything else as it is.
[[nodiscard]] TensorView without_trailing_ones(const TensorView& view);

}  // namespace atelier
