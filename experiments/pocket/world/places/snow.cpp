#include "experiments/pocket/world/place.h"

namespace atelier::pocket {

// White hills under a pale sky, grey mountains with white tops, falling flakes.
Ground snow(Canvas& canvas, Random& random) {
  const float horizon = random.range(30.0f, 37.0f);
  canvas.gradient(0.0f, horizon + 12.0f, rgb(150, 172, 198), rgb(208, 220, 232));
  const int peaks = 2 + random.below(2);
  for (int i = 0; i < peaks; ++i) {
    const float x = (static_cast<float>(i) + 0.5f) * 64.0f / static_cast<float>(peaks) + random.range(-7.0f, 7.0f);
    const float top = horizon - random.range(15.0f, 25.0f);
    const float wide = random.range(17.0f, 25.0f);
    canvas.fill(polygon({{x, top}, {x + wide, horizon + 4.0f}, {x - wide, horizon + 4.0f}}), rgb(120, 134, 158));
    const float cap = (horizon - top) * 0.42f;
    const float side = wide * cap / (horizon + 4.0f - top);
    canvas.fill(polygon({{x, top},
                         {x + side, top + cap},
                         {x + side * 0.4f, top + cap * 0.75f},
                         {x, top + cap * 1.1f},
                         {x - side * 0.45f, top + cap * 0.75f},
                         {x - side, top + cap}}),
                rgb(250, 252, 255));
  }
  const float slope = random.range(-3.0f, 3.0f);
  canvas.fill(smooth({{-10.0f, horizon + slope},
                      {18.0f, horizon + 2.0f},
                      {46.0f, horizon - 1.5f},
                      {74.0f, horizon - slope},
                      {84.0f, 96.0f},
                      {-20.0f, 96.0f}}),
              rgb(222, 232, 244));
  canvas.fill(smooth({{-10.0f, horizon + 9.0f},
                      {20.0f, horizon + 7.0f - slope},
                      {46.0f, horizon + 11.0f},
                      {74.0f, horizon + 8.0f + slope},
                      {84.0f, 96.0f},
                      {-20.0f, 96.0f}}),
              rgb(240, 245, 252));
  for (int i = 0; i < 12; ++i) {
    const float x = random.range(2.0f, 62.0f);
    const float y = random.range(2.0f, 62.0f);
    canvas.fill(circle({x, y}, random.range(1.1f, 1.6f)), rgb(255, 255, 255), 0.95f);
  }
  return {horizon + 16.0f, 60.0f, false};
}

}  // namespace atelier::pocket
