#include "experiments/pocket/world/place.h"

namespace atelier::pocket {
namespace {

void window(Canvas& canvas, float x) {
  canvas.fill(rectangle(x - 8.0f, 6.0f, x + 8.0f, 24.0f), rgb(250, 248, 240));
  canvas.fill(rectangle(x - 6.5f, 7.5f, x + 6.5f, 22.5f), rgb(164, 208, 236));
  canvas.fill(rectangle(x - 0.7f, 7.5f, x + 0.7f, 22.5f), rgb(250, 248, 240));
  canvas.fill(rectangle(x - 6.5f, 14.0f, x + 6.5f, 15.4f), rgb(250, 248, 240));
}

void shelf(Canvas& canvas, float x, Random& random) {
  canvas.fill(rectangle(x - 10.0f, 21.0f, x + 10.0f, 23.0f), rgb(128, 84, 52));
  constexpr std::array<Rgb, 3> kJars{rgb(170, 110, 90), rgb(120, 140, 130), rgb(196, 170, 120)};
  for (const float dx : {-6.0f, 0.0f, 6.0f}) {
    const float height = random.range(6.0f, 10.0f);
    canvas.fill(rounded_box(x + dx - 2.3f, 21.0f - height, x + dx + 2.3f, 21.0f, 1.0f),
                kJars[static_cast<std::size_t>(random.below(3))]);
  }
}

}  // namespace

// A cream wall with tiles, a window, a shelf with jars, a wooden table top.
Ground kitchen(Canvas& canvas, Random& random) {
  const float table = random.range(42.0f, 47.0f);
  canvas.gradient(0.0f, table, rgb(236, 224, 196), rgb(226, 210, 180));
  for (float y = table - 10.0f; y < table; y += 9.0f)
    canvas.fill(rectangle(0.0f, y, 64.0f, y + 1.0f), rgb(202, 184, 152));
  for (float x = random.range(0.0f, 9.0f); x < 64.0f; x += 9.0f)
    canvas.fill(rectangle(x, table - 10.0f, x + 1.0f, table), rgb(202, 184, 152));
  const bool left = random.chance(0.5f);
  const float at = random.range(12.0f, 17.0f);
  window(canvas, left ? at : 64.0f - at);
  shelf(canvas, left ? 64.0f - at : at, random);
  canvas.gradient(table, table + 2.0f, rgb(122, 76, 44), rgb(122, 76, 44));
  canvas.gradient(table + 2.0f, 64.0f, rgb(178, 120, 72), rgb(156, 100, 58));
  return {table + 7.0f, 60.0f, false};
}

}  // namespace atelier::pocket
