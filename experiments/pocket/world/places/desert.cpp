#include "experiments/pocket/world/place.h"

namespace atelier::pocket {
namespace {

void cactus(Canvas& canvas, float x, float foot, float height) {
  const Rgb green = rgb(70, 120, 70);
  canvas.fill(limb({x, foot}, {x, foot - height}, 2.2f, 2.0f), green);
  canvas.fill(stroke({{x, foot - height * 0.4f}, {x - 5.0f, foot - height * 0.42f}, {x - 5.4f, foot - height * 0.75f}},
                     1.4f, 1.4f),
              green);
  canvas.fill(stroke({{x, foot - height * 0.55f}, {x + 5.0f, foot - height * 0.57f}, {x + 5.2f, foot - height * 0.9f}},
                     1.4f, 1.4f),
              green);
}

}  // namespace

// An orange sky with a large sun, ochre dunes, a cactus.
Ground desert(Canvas& canvas, Random& random) {
  const float horizon = random.range(28.0f, 36.0f);
  canvas.gradient(0.0f, horizon + 12.0f, rgb(240, 166, 116), rgb(252, 224, 178));
  const float sun = random.range(10.0f, 54.0f);
  const float height = random.range(8.0f, 18.0f);
  canvas.fill(circle({sun, horizon - height}, random.range(5.0f, 7.5f)), rgb(255, 248, 214));
  const float roll = random.range(-5.0f, 5.0f);
  canvas.fill(smooth({{-10.0f, horizon + roll},
                      {16.0f, horizon - 4.0f - roll},
                      {44.0f, horizon + 2.0f},
                      {74.0f, horizon - roll},
                      {84.0f, 96.0f},
                      {-20.0f, 96.0f}}),
              rgb(206, 156, 102));
  if (random.chance(0.75f)) {
    const bool left = random.chance(0.5f);
    const float x = random.range(6.0f, 11.0f);
    cactus(canvas, left ? x : 64.0f - x, horizon + 9.0f, random.range(15.0f, 20.0f));
  }
  canvas.fill(smooth({{-10.0f, horizon + 8.0f - roll},
                      {20.0f, horizon + 11.0f},
                      {46.0f, horizon + 5.0f + roll},
                      {74.0f, horizon + 11.0f},
                      {84.0f, 96.0f},
                      {-20.0f, 96.0f}}),
              rgb(226, 182, 124));
  return {horizon + 15.0f, 60.0f, false};
}

}  // namespace atelier::pocket
