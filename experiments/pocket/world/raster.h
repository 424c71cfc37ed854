#pragma once

#include <array>
#include <vector>

#include "experiments/pocket/world/path.h"

namespace atelier::pocket {

inline constexpr int kSide = 64;  ///< width and height of every picture, in pixels

/// How much of each pixel a shape covers, 0 to 1. Only the box [left, right) × [top, bottom) is meant; two pixels
/// around it can be read and are 0.
struct Coverage {
  static constexpr int kMargin = 2;
  static constexpr int kStride = kSide + 2 * kMargin;
  int left = 0, top = 0, right = 0, bottom = 0;
  std::array<float, kStride* kStride> values = {};
  [[nodiscard]] float* row(int y) { return values.data() + (y + kMargin) * kStride + kMargin; }
  [[nodiscard]] const float* row(int y) const { return values.data() + (y + kMargin) * kStride + kMargin; }
};

/// Exact area coverage of polygons with pixel coordinates, by summing signed areas along each row (as FreeType's and
/// font-rs' rasterisers do). Contours that overlap and run the same way count once.
class Rasteriser {
 public:
  /// The result is valid until the next call.
  [[nodiscard]] const Coverage& cover(const Path& path);

 private:
  void prepare(const Path& path);
  void add_edge(Point a, Point b);
  void add_row(int y, float from, float to, float area);

  static constexpr int kStride = kSide + 2;
  std::array<float, kStride* kSide> sums_ = {};
  Coverage coverage_;
};

/// `from` grown by about `pixels` (at most 1), as an outline needs it.
void grow(const Coverage& from, float pixels, Coverage& into);

}  // namespace atelier::pocket
