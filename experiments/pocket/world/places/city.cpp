#include "experiments/pocket/world/place.h"

namespace atelier::pocket {
namespace {

void tower(Canvas& canvas, float left, float right, float top, float foot, Rgb wall, Random& random) {
  canvas.fill(rectangle(left, top, right, foot), wall);
  const int columns = right - left > 15.0f ? 2 : 1;  // 8 pixels from window to window
  const float middle = 0.5f * (left + right);
  for (float y = top + 3.0f; y < foot - 6.0f; y += 8.0f) {
    for (int i = 0; i < columns; ++i) {
      const float x = columns == 1 ? middle : middle + (i == 0 ? -4.0f : 4.0f);
      const bool lit = random.chance(0.5f);
      canvas.fill(rectangle(x - 1.9f, y, x + 1.9f, y + 4.2f), lit ? rgb(255, 232, 150) : rgb(70, 78, 98));
    }
  }
}

}  // namespace

// Towers with windows, a pavement and a road with a dashed line.
Ground city(Canvas& canvas, Random& random) {
  const float street = random.range(42.0f, 46.0f);
  canvas.gradient(0.0f, street, rgb(172, 184, 202), rgb(226, 220, 214));
  constexpr std::array<Rgb, 4> kWalls{rgb(118, 124, 142), rgb(146, 138, 138), rgb(98, 106, 126), rgb(132, 118, 116)};
  float left = random.range(-6.0f, 0.0f);
  int last = random.below(4);
  while (left < 64.0f) {
    const float right = left + random.range(12.0f, 20.0f);
    last = (last + 1 + random.below(3)) % 4;
    tower(canvas, left, right, random.range(2.0f, 22.0f), street, kWalls[static_cast<std::size_t>(last)], random);
    left = right;
  }
  canvas.gradient(street, street + 4.0f, rgb(190, 188, 184), rgb(176, 174, 172));
  canvas.gradient(street + 4.0f, 64.0f, rgb(82, 84, 92), rgb(66, 68, 76));
  const float line = street + 12.0f;
  for (float x = random.range(-10.0f, 0.0f); x < 64.0f; x += 14.0f)
    canvas.fill(rectangle(x, line, x + 7.0f, line + 1.6f), rgb(236, 232, 214));
  return {street + 8.0f, 61.0f, false};
}

}  // namespace atelier::pocket
