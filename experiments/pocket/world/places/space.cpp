#include "experiments/pocket/world/place.h"

namespace atelier::pocket {

// Black sky, stars, a large planet at a border.
Ground space(Canvas& canvas, Random& random) {
  canvas.gradient(0.0f, 64.0f, rgb(8, 8, 22), rgb(22, 16, 44));
  for (int i = 0; i < 16; ++i) {
    const float x = random.range(1.0f, 63.0f);
    const float y = random.range(1.0f, 63.0f);
    canvas.fill(circle({x, y}, random.range(0.9f, 1.3f)), rgb(255, 252, 230));
  }
  constexpr std::array<Rgb, 3> kPlanets{rgb(176, 120, 92), rgb(96, 140, 150), rgb(150, 136, 170)};
  const Rgb colour = kPlanets[static_cast<std::size_t>(random.below(3))];
  const bool left = random.chance(0.5f);
  const bool above = random.chance(0.5f);
  const float inward = random.range(4.0f, 11.0f);
  const float radius = random.range(9.0f, 14.0f);
  const Point centre{left ? inward : 64.0f - inward, above ? random.range(6.0f, 16.0f) : random.range(48.0f, 58.0f)};
  canvas.fill(circle(centre, radius), colour);
  Path shadow = circle(centre, radius);
  canvas.fill(ellipse(centre + Point{0.0f, radius * 0.35f}, radius * 0.86f, radius * 0.16f), colour * 0.75f);
  canvas.fill(ellipse(centre + Point{-radius * 0.1f, -radius * 0.3f}, radius * 0.8f, radius * 0.14f),
              mix(colour, rgb(255, 255, 255), 0.3f));
  if (random.chance(0.5f)) canvas.fill(ring({64.0f - centre.x, 64.0f - centre.y}, 4.0f, 0.0f), rgb(206, 206, 212));
  return {40.0f, 58.0f, true};
}

}  // namespace atelier::pocket
