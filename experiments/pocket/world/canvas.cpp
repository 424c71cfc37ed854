#include "experiments/pocket/world/canvas.h"

namespace atelier::pocket {

void Canvas::gradient(float top, float bottom, Rgb first, Rgb last) {
  const int begin = std::clamp(floor_int(top + 0.5f), 0, kSide);
  const int end = std::clamp(floor_int(bottom + 0.5f), 0, kSide);
  for (int y = begin; y < end; ++y) {
    const Rgb colour = mix(first, last, clamp01((static_cast<float>(y) + 0.5f - top) / (bottom - top)));
    std::fill_n(pixels_.begin() + y * kSide, kSide, colour);
  }
}

void Canvas::fill(const Path& path, Rgb colour, float opacity) {
  fill(rasteriser_.cover(path), opacity, 0.0f, [colour](int, int) { return colour; });
}

}  // namespace atelier::pocket
