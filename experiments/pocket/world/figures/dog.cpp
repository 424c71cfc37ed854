#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {
namespace {

void add_muzzle(Figure& figure, Point middle, float head, float snout, Tone tone) {
  figure.add(
      rounded_box(middle.x, middle.y - head * 0.3f, middle.x + head * 0.75f + snout, middle.y + head * 0.72f, 0.14f),
      Tone::coat);
  figure.add(ellipse(middle, head * 1.05f, head), Tone::coat);
  figure.detail(limb({middle.x + head * 0.6f, middle.y + head * 0.22f},
                     {middle.x + head * 0.6f + snout * 0.6f, middle.y + head * 0.22f}, head * 0.42f, head * 0.36f),
                tone);
  figure.detail(ellipse({middle.x + head * 0.72f + snout, middle.y - head * 0.18f}, 0.1f, 0.09f), Tone::black);
  figure.detail(stroke({{middle.x + head * 0.5f, middle.y + head * 0.5f},
                        {middle.x + head * 0.7f + snout, middle.y + head * 0.4f}},
                       0.025f, 0.025f),
                Tone::line);
}

}  // namespace

// A standing dog seen from its side, facing right.
// shape: body length, leg length, snout length, ear length, head size, belly. variant: saddle; socks; tail up high.
// bend: tail, legs, head.
Figure dog(const Instance& instance, const Pose& pose) {
  Figure figure;
  const auto& shape = instance.shape;
  const float half = between(0.48f, 0.66f, shape[0]);
  const float leg = between(0.42f, 0.66f, shape[1]);
  const float snout = between(0.24f, 0.4f, shape[2]);
  const float ear = between(0.28f, 0.5f, shape[3]);
  const float head = between(0.28f, 0.37f, shape[4]);
  const float deep = between(0.24f, 0.34f, shape[5]);
  const float foot = deep + leg;
  const float step = 0.12f * pose.bend[1];

  const float rise = 0.15f * pose.bend[0] + (instance.variant == 2 ? 0.25f : 0.0f);
  figure.add(
      stroke({{-half, -0.1f}, {-half - 0.26f, -0.28f - rise * 0.5f}, {-half - 0.34f, -0.5f - rise}}, 0.1f, 0.06f),
      Tone::coat);
  const Tone sock = instance.variant == 1 || instance.two_hues() ? Tone::second : Tone::coat;
  for (const float x : {-half + 0.2f - step, half - 0.06f + step})
    figure.add(limb({x, 0.1f}, {x, foot - 0.08f}, 0.12f, 0.09f), Tone::second);
  figure.add(limb({-half + 0.06f, 0.0f}, {half - 0.04f, 0.0f}, deep, deep * 1.04f), Tone::coat);
  for (const float x : {-half + 0.02f + step, half - 0.26f - step}) {
    figure.add(limb({x, 0.08f}, {x, foot - 0.1f}, 0.14f, 0.11f), Tone::coat);
    if (sock == Tone::second) figure.detail(limb({x, foot - 0.2f}, {x, foot - 0.1f}, 0.105f, 0.11f), Tone::second);
  }
  if (instance.variant == 0) figure.detail(ellipse({-0.12f, -deep * 0.45f}, 0.3f, deep * 0.5f), Tone::second);

  const Point middle{half + 0.14f, -deep - 0.36f + 0.08f * pose.bend[2]};
  figure.add(limb({half - 0.1f, -0.06f}, middle, 0.24f, 0.17f), Tone::coat);
  add_muzzle(figure, middle, head, snout, instance.two_hues() ? Tone::second : Tone::coat);
  const Point eye{middle.x + head * 0.36f, middle.y - head * 0.3f};
  figure.detail(circle(eye, 0.1f), Tone::white);
  figure.detail(circle({eye.x + 0.02f, eye.y}, 0.068f), Tone::black);
  figure.add(smooth({{middle.x - head * 0.55f, middle.y - head * 0.75f},
                     {middle.x - head * 0.05f, middle.y - head * 0.7f},
                     {middle.x - head * 0.1f, middle.y - head * 0.4f + ear},
                     {middle.x - head * 0.5f, middle.y - head * 0.3f + ear},
                     {middle.x - head * 0.85f, middle.y - head * 0.1f}}),
             Tone::second);
  figure.anchors = {.top = {middle.x + 0.02f, middle.y - head * 0.9f},
                    .top_width = head * 1.9f,
                    .top_turns = 0.0f,
                    .face = eye + Point{0.08f, 0.0f},
                    .face_width = head * 2.05f,
                    .neck = {half + 0.02f, -deep - 0.02f},
                    .neck_width = 0.6f,
                    .neck_turns = 0.1f,
                    .mark = {0.0f, 0.02f},
                    .mark_radius = deep * 0.86f};
  return figure;
}

}  // namespace atelier::pocket
