#pragma once

#include <string>

#include "framework/tensor/tensor.h"

namespace atelier {

/// The largest of the ids of a text tower. Throws Error (`where`) for one without a row among `rows`.
std::int64_t require_token_rows(const Tensor& ids, std::int64_t rows, const std::string& where);

}  // namespace atelier
