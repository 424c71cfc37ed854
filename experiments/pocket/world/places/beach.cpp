#include "experiments/pocket/world/place.h"

namespace atelier::pocket {
namespace {

void palm(Canvas& canvas, float x, float foot, float height, float lean) {
  const Point top{x + lean * height, foot - height};
  canvas.fill(stroke({{x, foot}, {x + lean * height * 0.3f, foot - height * 0.5f}, top}, 1.7f, 1.2f), rgb(128, 86, 48));
  for (const float side : {-1.0f, -0.55f, 0.05f, 0.6f, 1.0f}) {
    const Point tip = top + Point{side * 10.0f, 3.5f * side * side - 2.0f};
    canvas.fill(stroke({top, mix_points(top, tip, 0.5f) + Point{0.0f, -3.0f}, tip}, 1.9f, 0.5f), rgb(58, 140, 70));
  }
}

void cloud(Canvas& canvas, float x, float y) {
  for (const float dx : {-4.5f, 0.0f, 4.5f})
    canvas.fill(ellipse({x + dx, y - (dx == 0.0f ? 1.2f : 0.0f)}, 4.2f, 2.6f), rgb(255, 255, 255), 0.9f);
}

}  // namespace

// Blue sky, a band of sea with foam, yellow sand; clouds, a palm.
Ground beach(Canvas& canvas, Random& random) {
  const float horizon = random.range(22.0f, 30.0f);
  const float shore = horizon + random.range(9.0f, 13.0f);
  canvas.gradient(0.0f, horizon, rgb(112, 186, 244), rgb(206, 234, 252));
  canvas.gradient(horizon, 64.0f, rgb(26, 118, 178), rgb(70, 188, 204));
  const float bay = random.range(-2.0f, 2.0f);
  const auto coast = [&](float lower) {
    return smooth({{-8.0f, shore + bay + lower},
                   {14.0f, shore - 1.2f + lower},
                   {36.0f, shore + 1.4f + lower},
                   {72.0f, shore - bay + lower},
                   {80.0f, 90.0f},
                   {-16.0f, 90.0f}});
  };
  canvas.fill(coast(-1.6f), rgb(240, 250, 252));
  canvas.fill(coast(0.8f), rgb(214, 186, 128));
  canvas.fill(coast(3.4f), rgb(240, 216, 156));
  const int clouds = 1 + random.below(2);
  for (int i = 0; i < clouds; ++i) {
    const float x = random.range(6.0f, 58.0f);
    cloud(canvas, x, random.range(5.0f, 12.0f));
  }
  if (random.chance(0.6f)) {
    const bool left = random.chance(0.5f);
    const float x = random.range(3.0f, 10.0f);
    const float height = random.range(24.0f, 30.0f);
    palm(canvas, left ? x : 64.0f - x, shore + 6.0f, height, left ? 0.12f : -0.12f);
  }
  return {shore + 12.0f, 60.0f, false};
}

}  // namespace atelier::pocket
