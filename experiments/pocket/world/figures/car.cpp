#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {
namespace {

struct Cabin {
  float back, front, top, sill;
  float lean;  ///< of the windscreen
};

void add_windows(Figure& figure, const Cabin& cabin) {
  const auto [back, front, top, sill, lean] = cabin;
  const float post = (back + front) * 0.5f;
  figure.detail(rounded({{back + 0.14f, sill},
                         {back + lean * 0.7f + 0.08f, top + 0.11f},
                         {post - 0.05f, top + 0.11f},
                         {post - 0.05f, sill}},
                        0.05f),
                Tone::glass);
  figure.detail(rounded({{post + 0.05f, sill},
                         {post + 0.05f, top + 0.11f},
                         {front - lean - 0.04f, top + 0.11f},
                         {front - 0.06f, sill}},
                        0.05f),
                Tone::glass);
}

}  // namespace

// A car seen from its side, driving to the right.
// shape: length, cabin height, cabin length, wheel size, bonnet height, cabin position. variant: saloon; round; van.
// bend: unused (cars do not bend).
Figure car(const Instance& instance, const Pose&) {
  Figure figure;
  const auto& shape = instance.shape;
  const float half = between(0.88f, 1.02f, shape[0]);
  const float tall = between(0.46f, 0.62f, shape[1]);
  const float cabin = between(0.46f, 0.62f, shape[2]);
  const float wheel = between(0.21f, 0.29f, shape[3]);
  const float hood = between(0.14f, 0.26f, shape[4]);
  const float at = between(-0.2f, 0.06f, shape[5]);
  const float low = 0.42f;

  const float top = -hood - tall;
  const float sill = -hood + 0.02f;
  const float lean = instance.variant == 2 ? 0.08f : 0.22f;
  const float back = instance.variant == 2 ? -half + 0.08f : at - cabin;
  const float front = at + cabin;
  figure.add(rounded({{back, 0.04f}, {back + lean * 0.7f, top}, {front - lean, top}, {front + 0.06f, 0.04f}},
                     instance.variant == 1 ? 0.34f : 0.14f),
             instance.two_hues() ? Tone::second : Tone::coat);
  add_windows(figure, {back, front, top, sill, lean});
  figure.add(rounded({{-half, low},
                      {-half, -hood * 0.7f},
                      {-half * 0.7f, -hood},
                      {half * 0.55f, -hood},
                      {half, 0.02f},
                      {half, low}},
                     instance.variant == 1 ? 0.24f : 0.12f),
             Tone::coat);
  figure.detail(rounded_box(-half + 0.03f, low - 0.13f, half - 0.03f, low - 0.02f, 0.05f), Tone::second);
  figure.detail(ellipse({half - 0.1f, 0.1f}, 0.08f, 0.09f), Tone::lamp);
  for (const float x : {-half * 0.56f, half * 0.56f}) {
    figure.add(circle({x, low}, wheel), Tone::black);
    figure.detail(circle({x, low}, wheel * 0.5f), Tone::grey);
  }
  figure.anchors = {.top = {(back + front) * 0.5f, top + 0.03f},
                    .top_width = 0.66f,
                    .top_turns = 0.0f,
                    .face = {(back + front) * 0.5f + 0.06f, (sill + top) * 0.5f + 0.05f},
                    .face_width = (front - back) * 0.78f,
                    .neck = {(back + front) * 0.5f, sill + 0.02f},
                    .neck_width = front - back + 0.14f,
                    .neck_height = 0.62f,
                    .mark = {-0.02f, 0.06f},
                    .mark_radius = 0.27f};
  return figure;
}

}  // namespace atelier::pocket
