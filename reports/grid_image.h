#pragma once

#include <vector>

#include "framework/image/image.h"
#include "reports/pictures.h"

namespace atelier::reports {

struct GridLayout {
  int side = 0;    ///< of a square, in pixels; 0: that of the largest picture, or 64 where there is none
  int across = 1;  ///< so many concepts beside each other
};

/// Grids beside and below each other, without a word: a concept's photos (in as many rows as they need, cut to squares from the
/// middle), then its rows, each with the picture k = 0 of every prompt. White between. A picture that is not made yet
/// is a grey square, one that failed or cannot be read a hatched one, and where a run has no such prompt it stays
/// white. Throws Error (usage) when there is nothing to draw, and when the result would exceed kMaxPixels.
[[nodiscard]] Image draw_grids(const std::vector<ConceptGrid>& grids, PictureReader& reader, GridLayout layout = {});

/// The largest square in the middle, at `side` pixels (Lanczos).
[[nodiscard]] Image square_of(const Image& image, int side);

}  // namespace atelier::reports
