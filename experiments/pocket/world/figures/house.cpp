#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {

// A house seen from the front.
// shape: width, wall height, roof height, eaves, door position, window size. variant: chimney left; right; two windows.
// bend: unused (houses do not bend).
Figure house(const Instance& instance, const Pose&) {
  Figure figure;
  const auto& shape = instance.shape;
  const float half = between(0.64f, 0.84f, shape[0]);
  const float wall = between(0.72f, 0.98f, shape[1]);
  const float roof = between(0.52f, 0.84f, shape[2]);
  const float eaves = between(0.1f, 0.24f, shape[3]);
  const float door = between(-0.26f, 0.26f, shape[4]);
  const float pane = between(0.15f, 0.2f, shape[5]);

  const float pipe = instance.variant == 1 ? half * 0.56f : -half * 0.56f;
  figure.add(rectangle(pipe - 0.12f, -roof * 0.92f, pipe + 0.12f, -0.1f), Tone::second);
  figure.add(rectangle(-half, -0.06f, half, wall), Tone::coat);
  figure.add(rounded({{-half - eaves, 0.02f}, {0.0f, -roof}, {half + eaves, 0.02f}}, 0.05f), Tone::second);
  figure.add(
      rounded({{door - 0.17f, wall}, {door - 0.17f, wall * 0.4f}, {door + 0.17f, wall * 0.4f}, {door + 0.17f, wall}},
              0.03f),
      Tone::wood);
  const float side = door > 0.0f ? -1.0f : 1.0f;
  const Point window{side * half * 0.52f, wall * 0.46f};
  figure.add(rectangle(window.x - pane, window.y - pane, window.x + pane, window.y + pane), Tone::lamp);
  figure.detail(rectangle(window.x - 0.025f, window.y - pane, window.x + 0.025f, window.y + pane), Tone::line);
  figure.detail(rectangle(window.x - pane, window.y - 0.025f, window.x + pane, window.y + 0.025f), Tone::line);
  if (instance.variant == 2) figure.add(circle({0.0f, -roof * 0.4f}, 0.14f), Tone::lamp);
  figure.anchors = {.top = {0.0f, -roof + 0.1f},
                    .top_width = 0.7f,
                    .top_turns = 0.0f,
                    .face = {0.0f, wall * 0.3f},
                    .face_width = half * 1.4f,
                    .neck = {0.0f, 0.08f},
                    .neck_width = half * 2.04f,
                    .neck_height = 0.66f,
                    .mark = {side * half * 0.42f, wall * 0.5f},
                    .mark_radius = 0.29f};
  return figure;
}

}  // namespace atelier::pocket
