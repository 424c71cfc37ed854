#include "experiments/pocket/world/place.h"

namespace atelier::pocket {

// Teal water that darkens downwards, rays of light, weeds, bubbles, a dim sea floor.
Ground underwater(Canvas& canvas, Random& random) {
  canvas.gradient(0.0f, 64.0f, rgb(86, 200, 206), rgb(8, 72, 112));
  const int rays = 2 + random.below(2);
  for (int i = 0; i < rays; ++i) {
    const float x = (static_cast<float>(i) + random.unit()) * 64.0f / static_cast<float>(rays);
    const float wide = random.range(3.0f, 6.0f);
    canvas.fill(polygon({{x, -2.0f}, {x + wide, -2.0f}, {x - 8.0f + wide * 2.2f, 48.0f}, {x - 14.0f, 48.0f}}),
                rgb(220, 255, 250), 0.18f);
  }
  const float floor = random.range(55.0f, 59.0f);
  canvas.fill(smooth({{-8.0f, floor},
                      {20.0f, floor - 2.0f},
                      {46.0f, floor + 1.5f},
                      {72.0f, floor - 1.0f},
                      {80.0f, 96.0f},
                      {-16.0f, 96.0f}}),
              rgb(88, 112, 100));
  const int weeds = 3 + random.below(3);
  for (int i = 0; i < weeds; ++i) {
    const float x = random.chance(0.5f) ? random.range(2.0f, 15.0f) : random.range(49.0f, 62.0f);
    const float height = random.range(14.0f, 30.0f);
    const float bow = random.range(1.5f, 3.0f);
    canvas.fill(stroke({{x, 63.0f},
                        {x + bow, 62.0f - height * 0.33f},
                        {x - bow, 62.0f - height * 0.66f},
                        {x + bow * 0.6f, 62.0f - height}},
                       1.7f, 0.8f),
                rgb(22, 104, 78));
  }
  const int bubbles = 5 + random.below(4);
  for (int i = 0; i < bubbles; ++i) {
    const float x = random.range(3.0f, 61.0f);
    const float y = random.range(3.0f, 50.0f);
    const float radius = random.range(1.4f, 2.8f);
    canvas.fill(ring({x, y}, radius, radius - 0.9f), rgb(224, 250, 252), 0.9f);
  }
  return {44.0f, 58.0f, true};
}

}  // namespace atelier::pocket
