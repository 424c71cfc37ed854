#pragma once

#include "experiments/pocket/world/canvas.h"
#include "experiments/pocket/world/random.h"
#include "experiments/pocket/world/world.h"

namespace atelier::pocket {

/// Where a place lets its subject be, in pixels.
struct Ground {
  float low = 54.0f;  ///< the subject's lowest point lies between these two rows
  float high = 60.0f;
  bool floats = false;  ///< nothing to stand on: the subject's middle goes near the picture's
};

/// Fills the canvas. What varies (horizon, what stands where) comes from `random`.
Ground paint_place(Canvas& canvas, Place place, Random& random);

// One for each place.
Ground beach(Canvas& canvas, Random& random);
Ground forest(Canvas& canvas, Random& random);
Ground snow(Canvas& canvas, Random& random);
Ground city(Canvas& canvas, Random& random);
Ground desert(Canvas& canvas, Random& random);
Ground space(Canvas& canvas, Random& random);
Ground kitchen(Canvas& canvas, Random& random);
Ground underwater(Canvas& canvas, Random& random);

}  // namespace atelier::pocket
