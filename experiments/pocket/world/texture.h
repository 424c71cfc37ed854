#pragma once

#include "experiments/pocket/world/instance.h"
#include "experiments/pocket/world/path.h"

namespace atelier::pocket {

/// How much of the second tone (0 to 1) is at a point of the object. `at` counts in sizes of the object, `pixels` is
/// that size in pixels: edges are one pixel soft.
class TexturePaint {
 public:
  TexturePaint(const Instance& instance, float pixels);
  [[nodiscard]] float operator()(Point at) const;

 private:
  [[nodiscard]] float stripes(float u) const;
  [[nodiscard]] float dots(float u, float v) const;
  [[nodiscard]] float checks(float u, float v) const;

  Texture texture_;
  float cosine_, sine_, phase_;
  float per_size_;  // periods in one size of the object
  float pixels_;    // of one period
};

}  // namespace atelier::pocket
