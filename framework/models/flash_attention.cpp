#include "framework/models/flash_attention.h"

namespace atelier::flash {

bool supports(const Tensor&, const Tensor&, const Tensor&, std::int64_t) { return false; }

Tensor attention(const Tensor& q, const Tensor&, const Tensor&, std::int64_t) { return q; }

}  // namespace atelier::flash
