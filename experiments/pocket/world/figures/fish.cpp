#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {
namespace {

void add_back_fin(Figure& figure, int variant, float tall, float fin) {
  if (variant == 0)
    figure.add(smooth({{-0.35f, -tall * 0.6f}, {-0.2f, -tall - fin}, {0.2f, -tall - fin * 0.8f}, {0.4f, -tall * 0.6f}}),
               Tone::second);
  else if (variant == 1)
    figure.add(
        rounded({{-0.62f, -tall * 0.4f}, {-0.7f, -tall - fin * 0.5f}, {0.3f, -tall - fin}, {0.5f, -tall * 0.5f}}, 0.1f),
        Tone::second);
  else
    for (const float x : {-0.4f, -0.08f, 0.24f})
      figure.add(polygon({{x - 0.1f, -tall * 0.6f}, {x - 0.08f, -tall - fin}, {x + 0.22f, -tall * 0.6f}}),
                 Tone::second);
}

}  // namespace

// A fish seen from its side, swimming to the right.
// shape: body height, tail size, dorsal fin, eye size, snout, fork of the tail. variant: round fin; long fin; spiked
// fin. bend: tail, belly fin, mouth.
Figure fish(const Instance& instance, const Pose& pose) {
  Figure figure;
  const auto& shape = instance.shape;
  const float tall = between(0.42f, 0.64f, shape[0]);
  const float tail = between(0.34f, 0.56f, shape[1]);
  const float fin = between(0.18f, 0.38f, shape[2]);
  const float eye = between(0.1f, 0.16f, shape[3]);
  const float nose = between(0.8f, 0.98f, shape[4]);
  const float fork = between(0.05f, 0.2f, shape[5]);
  const float swing = 0.1f * pose.bend[0];

  figure.add(rounded({{-0.5f, -0.08f},
                      {-0.62f - tail, -tail * 1.05f + swing},
                      {-0.62f - tail + fork, swing},
                      {-0.62f - tail, tail * 1.05f + swing},
                      {-0.5f, 0.08f}},
                     0.1f),
             Tone::second);
  add_back_fin(figure, instance.variant, tall, fin);
  figure.add(polygon({{-0.1f, tall * 0.7f}, {-0.3f, tall + fin * 0.8f}, {0.2f, tall * 0.75f}}), Tone::second);
  figure.add(smooth({{-0.68f, 0.0f},
                     {-0.3f, -tall * 0.78f},
                     {0.2f, -tall},
                     {0.65f, -tall * 0.66f},
                     {nose, 0.04f},
                     {0.62f, tall * 0.72f},
                     {0.15f, tall},
                     {-0.3f, tall * 0.78f}}),
             Tone::coat);
  figure.detail(stroke({{0.34f, -tall * 0.62f}, {0.22f, 0.0f}, {0.34f, tall * 0.62f}}, 0.035f, 0.035f), Tone::line);
  const float flap = 0.12f * pose.bend[1];
  figure.add(smooth({{0.12f, 0.06f}, {-0.26f, 0.06f + flap}, {-0.3f, 0.32f + flap}, {0.06f, 0.3f}}), Tone::second);
  const Point at{0.56f, -tall * 0.22f};
  figure.detail(circle(at, eye * 1.25f), Tone::white);
  figure.detail(circle({at.x + 0.02f, at.y}, eye * 0.75f), Tone::black);
  figure.detail(stroke({{nose - 0.22f, 0.24f - 0.04f * pose.bend[2]}, {nose - 0.08f, 0.16f}}, 0.035f, 0.035f),
                Tone::line);
  figure.anchors = {.top = {0.32f, -tall * 0.9f},
                    .top_width = 0.7f,
                    .top_turns = 0.05f,
                    .face = at + Point{0.02f, 0.0f},
                    .face_width = 0.78f,
                    .neck = {0.22f, 0.0f},
                    .neck_width = tall * 1.9f,
                    .neck_turns = 0.25f,
                    .neck_height = 0.7f,
                    .mark = {-0.16f, -0.02f},
                    .mark_radius = 0.3f};
  return figure;
}

}  // namespace atelier::pocket
