#pragma once

#include <cstdint>

#include "experiments/pocket/world/canvas.h"
#include "experiments/pocket/world/world.h"

namespace atelier::pocket {

/// What a style decides while the subject is painted.
struct StyleTraits {
  float outline = 0.7f;  ///< pixels
  bool black_line = false;
  float shading = 0.45f;  ///< from light above to shade below
};
[[nodiscard]] StyleTraits traits_of(Style style);

/// What a style does to the finished picture: to each pixel and its neighbours. The matte stays.
void apply_style(Canvas& canvas, Style style, std::uint64_t seed);

}  // namespace atelier::pocket
