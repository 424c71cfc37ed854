#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {
namespace {

void add_ears(Figure& figure, Point middle, float head, float ear, bool inside) {
  const float high = middle.y - head * 0.72f;
  for (const float side : {-1.0f, 1.0f}) {
    const Point outer{middle.x + side * head * 1.0f, middle.y - head * 0.3f};
    const Point inner{middle.x + side * head * 0.18f, high + 0.04f};
    const Point tip{middle.x + side * head * 0.92f, high - ear};
    figure.add(polygon({outer, tip, inner}), Tone::coat);
    if (inside) {
      const Point centre = (outer + inner + tip) * (1.0f / 3.0f);
      figure.detail(
          polygon({mix_points(centre, outer, 0.55f), mix_points(centre, tip, 0.6f), mix_points(centre, inner, 0.5f)}),
          Tone::second);
    }
  }
}

void add_face(Figure& figure, Point middle, float head, float eye) {
  figure.detail(ellipse(middle + Point{0.0f, head * 0.4f}, head * 0.5f, head * 0.32f), Tone::pale);
  for (const float side : {-1.0f, 1.0f}) {
    const Point at = middle + Point{side * head * 0.45f, -head * 0.08f};
    figure.detail(ellipse(at, eye * 1.25f, eye * 1.35f), Tone::white);
    figure.detail(ellipse(at, eye * 0.62f, eye * 1.1f), Tone::black);
  }
  figure.detail(polygon({middle + Point{-0.075f, head * 0.22f}, middle + Point{0.075f, head * 0.22f},
                         middle + Point{0.0f, head * 0.4f}}),
                Tone::black);
}

}  // namespace

// A sitting cat seen from the front.
// shape: head size, body width, ear height, tail thickness, body height, eye size. variant: inner ears; bib; both.
// bend: tail curl, head tilt, paw spread.
Figure cat(const Instance& instance, const Pose& pose) {
  Figure figure;
  const auto& shape = instance.shape;
  const float head = between(0.42f, 0.54f, shape[0]);
  const float wide = between(0.42f, 0.62f, shape[1]);
  const float ear = between(0.26f, 0.44f, shape[2]);
  const float tail = between(0.08f, 0.15f, shape[3]);
  const float tall = between(0.85f, 1.15f, shape[4]);
  const float eye = between(0.085f, 0.13f, shape[5]);
  const float tilt = 0.09f * pose.bend[1];

  const float curl = 0.22f * pose.bend[0];
  figure.add(stroke({{wide * 0.5f, tall * 0.85f},
                     {wide + 0.28f, tall * 0.78f},
                     {wide + 0.38f, tall * 0.35f - curl},
                     {wide + 0.22f + curl * 0.6f, -0.02f - curl}},
                    tail, tail * 0.8f),
             Tone::coat);
  figure.add(smooth({{-0.26f, -0.1f},
                     {-wide * 0.86f, tall * 0.45f},
                     {-wide, tall * 0.85f},
                     {-wide * 0.6f, tall},
                     {wide * 0.6f, tall},
                     {wide, tall * 0.85f},
                     {wide * 0.86f, tall * 0.45f},
                     {0.26f, -0.1f}}),
             Tone::coat);
  if (instance.variant != 0) figure.detail(ellipse({0.0f, tall * 0.42f}, 0.2f, tall * 0.3f), Tone::second);
  const float paw = 0.17f + 0.05f * pose.bend[2];
  for (const float side : {-1.0f, 1.0f})
    figure.add(ellipse({side * paw, tall * 0.95f}, 0.17f, 0.11f), instance.two_hues() ? Tone::second : Tone::coat);

  const Point middle{tilt, -0.12f - head * 0.72f};
  add_ears(figure, middle, head, ear, instance.variant != 1);
  figure.add(ellipse(middle, head * 1.1f, head * 0.84f), Tone::coat);
  add_face(figure, middle, head, eye);
  figure.anchors = {.top = {middle.x, middle.y - head * 0.82f},
                    .top_width = head * 1.5f,
                    .top_turns = 0.0f,
                    .face = middle + Point{0.0f, -head * 0.08f},
                    .face_width = head * 1.7f,
                    .neck = {tilt * 0.4f, -0.02f},
                    .neck_width = 0.72f,
                    .mark = {0.0f, tall * 0.44f},
                    .mark_radius = 0.29f};
  return figure;
}

}  // namespace atelier::pocket
