#pragma once

#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {

/// A part with a colour of its own.
struct PaintedPart {
  Path path;
  Rgb colour;
  bool lined = true;
};

/// What the figure wears, in the figure's coordinates. It does not belong to the subject.
[[nodiscard]] std::vector<PaintedPart> worn(Accessory accessory, const Anchors& anchors);

/// The outline of a mark.
[[nodiscard]] Path mark_path(Mark mark, Point centre, float radius);

}  // namespace atelier::pocket
