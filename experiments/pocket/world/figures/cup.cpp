#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {

// A cup with a handle on its right.
// shape: top width, bottom width, height, handle size, rim, bulge. variant: plain; a band; a saucer.
// bend: unused (cups do not bend).
Figure cup(const Instance& instance, const Pose&) {
  Figure figure;
  const auto& shape = instance.shape;
  const float top = between(0.56f, 0.72f, shape[0]);
  const float bottom = between(0.36f, 0.58f, shape[1]);
  const float tall = between(0.6f, 0.84f, shape[2]);
  const float handle = between(0.3f, 0.46f, shape[3]);
  const float rim = between(0.13f, 0.22f, shape[4]);
  const float bulge = between(-0.04f, 0.12f, shape[5]);

  if (instance.variant == 2) figure.add(ellipse({0.0f, tall}, top + 0.3f, 0.15f), Tone::second);
  const float edge = lerp(top, bottom, 0.3f);
  Path loop = ellipse({edge, -tall * 0.1f}, handle, handle * 1.05f);
  loop.cut(ellipse({edge, -tall * 0.1f}, handle * 0.5f, handle * 0.56f));
  figure.add(std::move(loop), Tone::second);
  figure.add(smooth({{-top, -tall},
                     {-top - bulge * 0.5f, -tall * 0.4f},
                     {-lerp(top, bottom, 0.7f) - bulge, tall * 0.4f},
                     {-bottom, tall * 0.94f},
                     {-bottom * 0.6f, tall},
                     {0.0f, tall + 0.04f},
                     {bottom * 0.6f, tall},
                     {bottom, tall * 0.94f},
                     {lerp(top, bottom, 0.7f) + bulge, tall * 0.4f},
                     {top + bulge * 0.5f, -tall * 0.4f},
                     {top, -tall},
                     {0.0f, -tall + 0.1f}}),
             Tone::coat);
  if (instance.variant == 1)
    figure.detail(polygon({{-top + 0.01f, -tall * 0.62f},
                           {top - 0.01f, -tall * 0.62f},
                           {top - 0.03f, -tall * 0.3f},
                           {-top + 0.03f, -tall * 0.3f}}),
                  Tone::second);
  figure.add(ellipse({0.0f, -tall}, top + 0.02f, rim), instance.two_hues() ? Tone::second : Tone::coat);
  figure.detail(ellipse({0.0f, -tall + 0.01f}, top - 0.09f, rim * 0.6f), Tone::wood);
  figure.anchors = {.top = {0.0f, -tall - rim * 0.3f},
                    .top_width = top * 1.3f,
                    .top_turns = 0.0f,
                    .face = {0.0f, -tall * 0.18f},
                    .face_width = top * 1.6f,
                    .neck = {0.0f, tall * 0.42f},
                    .neck_width = lerp(top, bottom, 0.7f) * 2.0f + bulge,
                    .neck_height = 0.74f,
                    .mark = {0.0f, tall * 0.12f},
                    .mark_radius = 0.34f};
  return figure;
}

}  // namespace atelier::pocket
