#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {

// A sailing boat.
// shape: hull length, hull depth, mast height, sail width, jib width, rake of the bow. variant: flag; porthole; both.
// bend: how far the sails fill, flag, unused.
Figure boat(const Instance& instance, const Pose& pose) {
  Figure figure;
  const auto& shape = instance.shape;
  const float half = between(0.72f, 0.94f, shape[0]);
  const float deep = between(0.32f, 0.46f, shape[1]);
  const float mast = between(1.05f, 1.4f, shape[2]);
  const float sail = between(0.5f, 0.7f, shape[3]);
  const float jib = between(0.34f, 0.56f, shape[4]);
  const float rake = between(0.1f, 0.3f, shape[5]);
  const float fill = 0.06f + 0.06f * pose.bend[0];
  const float foot = -0.14f;

  figure.add(rectangle(-0.05f, -mast, 0.05f, 0.1f), Tone::wood);
  if (instance.variant != 1) {
    const float wave = 0.05f * pose.bend[1];
    figure.add(polygon({{0.04f, -mast - 0.02f}, {0.36f, -mast + 0.1f + wave}, {0.04f, -mast + 0.22f}}), Tone::second);
  }
  figure.add(smooth({{-0.1f, -mast + 0.1f},
                     {-0.1f - sail * 0.5f - fill, -mast * 0.55f},
                     {-0.1f - sail, foot},
                     {-0.1f - sail * 0.5f, foot + 0.02f},
                     {-0.1f, foot},
                     {-0.09f, -mast * 0.5f}}),
             Tone::coat);
  figure.add(smooth({{0.1f, -mast * 0.82f},
                     {0.1f + jib * 0.6f + fill, -mast * 0.42f},
                     {0.12f + jib, foot},
                     {0.1f + jib * 0.5f, foot + 0.02f},
                     {0.1f, foot},
                     {0.09f, -mast * 0.4f}}),
             Tone::second);
  figure.add(rounded({{-half, 0.0f}, {half + 0.06f, -0.02f}, {half - rake, deep}, {-half + rake * 0.7f, deep}}, 0.12f),
             Tone::coat);
  figure.detail(polygon({{-half + 0.03f, 0.03f}, {half, 0.02f}, {half - 0.06f, 0.13f}, {-half + 0.08f, 0.13f}}),
                Tone::second);
  if (instance.variant != 0)
    for (const float x : {-0.34f, 0.02f, 0.38f}) {
      figure.detail(circle({x, 0.24f}, 0.085f), Tone::line);
      figure.detail(circle({x, 0.24f}, 0.055f), Tone::glass);
    }
  figure.anchors = {.top = {0.0f, -mast + 0.04f},
                    .top_width = 0.5f,
                    .top_turns = 0.0f,
                    .face = {-0.02f, -mast * 0.36f},
                    .face_width = 0.84f,
                    .neck = {0.0f, -0.02f},
                    .neck_width = half * 1.7f,
                    .neck_height = 0.62f,
                    .mark = {-0.12f - sail * 0.36f, -mast * 0.36f},
                    .mark_radius = 0.26f};
  return figure;
}

}  // namespace atelier::pocket
