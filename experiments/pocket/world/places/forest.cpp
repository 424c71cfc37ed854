#include "experiments/pocket/world/place.h"

namespace atelier::pocket {
namespace {

void fir(Canvas& canvas, float x, float foot, float height, Rgb colour) {
  canvas.fill(rectangle(x - 1.3f, foot - 4.0f, x + 1.3f, foot + 1.0f), rgb(72, 48, 32));
  for (int i = 0; i < 3; ++i) {
    const float top = foot - height + static_cast<float>(i) * height * 0.24f;
    const float wide = height * (0.16f + 0.07f * static_cast<float>(i));
    canvas.fill(polygon({{x, top}, {x + wide, top + height * 0.42f}, {x - wide, top + height * 0.42f}}), colour);
  }
}

}  // namespace

// Rows of dark firs, trunks that leave the picture, a mossy floor.
Ground forest(Canvas& canvas, Random& random) {
  const float floor = random.range(38.0f, 44.0f);
  canvas.gradient(0.0f, floor + 8.0f, rgb(150, 190, 150), rgb(98, 142, 100));
  for (int i = 0; i < 7; ++i) {
    const float x = static_cast<float>(i) * 10.5f + random.range(-3.0f, 3.0f);
    fir(canvas, x, floor + 1.0f, random.range(26.0f, 34.0f), rgb(62, 112, 74));
  }
  for (int i = 0; i < 4; ++i) {
    const float x = static_cast<float>(i) * 20.0f + random.range(-4.0f, 8.0f);
    fir(canvas, x, floor + 4.0f, random.range(32.0f, 42.0f), rgb(36, 78, 50));
  }
  canvas.fill(smooth({{-8.0f, floor},
                      {20.0f, floor + 1.5f},
                      {44.0f, floor - 1.0f},
                      {72.0f, floor + 1.0f},
                      {80.0f, 90.0f},
                      {-16.0f, 90.0f}}),
              rgb(88, 100, 48));
  canvas.fill(ellipse({32.0f, 66.0f}, 44.0f, 14.0f), rgb(104, 112, 54));
  if (random.chance(0.7f)) {
    const bool left = random.chance(0.5f);
    const float x = random.range(2.0f, 7.0f);
    const float wide = random.range(3.0f, 4.6f);
    const float at = left ? x : 64.0f - x;
    canvas.fill(polygon({{at - wide, -2.0f}, {at + wide, -2.0f}, {at + wide * 1.2f, 56.0f}, {at - wide * 1.2f, 56.0f}}),
                rgb(70, 46, 32));
    canvas.fill(
        polygon({{at - wide, -2.0f}, {at - wide * 0.2f, -2.0f}, {at - wide * 0.3f, 56.0f}, {at - wide * 1.2f, 56.0f}}),
        rgb(92, 62, 42));
  }
  return {floor + 9.0f, 60.0f, false};
}

}  // namespace atelier::pocket
