#pragma once

#include <vector>

#include "framework/tensor/tensor.h"

namespace atelier {

/// One low-rank addition to a linear or convolution layer: W x + scale · B (A x). Kept in its own (usually float32)
/// type; the product is cast to the layer's.
struct LowRank {
  Tensor a;            ///< linear: [r, in]; convolution: [r, in, k, k], same stride and padding as the layer
  Tensor b;            ///< linear: [out, r]; convolution: [out, r, 1, 1]
  double scale = 1.0;  ///< alpha / rank times the weight it is applied with
};

/// What one call of a model carries besides its inputs. A null pointer means: none of this, and nothing is paid for it.
struct AdapterCall {
  Tensor row_scale;   ///< [B] factor on every adapter, row by row; undefined: 1 (DCO's branches: 0 for some rows)
  bool skip = false;  ///< the layers as they are without any adapter: nothing of it is computed
};

}  // namespace atelier
