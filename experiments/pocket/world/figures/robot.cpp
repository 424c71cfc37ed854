#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {
namespace {

void add_head(Figure& figure, float head, float top, float low, float eye) {
  figure.add(rounded_box(-head, top, head, low, 0.12f), Tone::coat);
  figure.detail(rounded_box(-head * 0.8f, top + head * 0.26f, head * 0.8f, low - head * 0.22f, 0.1f), Tone::pale);
  for (const float side : {-1.0f, 1.0f}) {
    figure.detail(circle({side * head * 0.42f, top + head * 0.52f}, eye), Tone::white);
    figure.detail(circle({side * head * 0.42f, top + head * 0.52f}, eye * 0.6f), Tone::black);
  }
  figure.detail(rectangle(-head * 0.4f, low - head * 0.42f, head * 0.4f, low - head * 0.3f), Tone::line);
}

void add_antennas(Figure& figure, int variant, float head, float top, float low) {
  if (variant == 2)
    for (const float side : {-1.0f, 1.0f}) figure.add(circle({side * head, (low + top) * 0.5f}, 0.13f), Tone::second);
  for (const float x : {-0.5f, 0.0f, 0.5f}) {
    if (variant == 2 || (variant == 0) != (x == 0.0f)) continue;
    figure.add(rectangle(x * head - 0.035f, top - 0.2f, x * head + 0.035f, top + 0.05f), Tone::grey);
    figure.add(circle({x * head, top - 0.24f}, 0.1f), Tone::second);
  }
}

}  // namespace

// A robot seen from the front.
// shape: head width, body width, body height, leg length, arm thickness, eye size. variant: one antenna; two; ear
// knobs. bend: left arm, right arm, legs.
Figure robot(const Instance& instance, const Pose& pose) {
  Figure figure;
  const auto& shape = instance.shape;
  const float head = between(0.38f, 0.52f, shape[0]);
  const float body = between(0.46f, 0.62f, shape[1]);
  const float tall = between(0.68f, 0.88f, shape[2]);
  const float leg = between(0.24f, 0.42f, shape[3]);
  const float arm = between(0.1f, 0.15f, shape[4]);
  const float eye = between(0.1f, 0.15f, shape[5]);
  const float step = 0.05f * pose.bend[2];

  for (const float side : {-1.0f, 1.0f}) {
    const float x = side * (body * 0.5f + step);
    figure.add(rectangle(x - 0.11f, tall - 0.1f, x + 0.11f, tall + leg), Tone::grey);
    figure.add(rounded_box(x - 0.19f, tall + leg - 0.08f, x + 0.19f, tall + leg + 0.1f, 0.08f), Tone::second);
    const float lift = 0.4f * pose.bend[side < 0.0f ? 0 : 1];
    const Point hand{side * (body + 0.34f), tall * 0.52f - lift};
    figure.add(limb({side * body, 0.16f}, hand, arm, arm), Tone::coat);
    figure.add(circle(hand, arm * 1.55f), Tone::second);
  }
  figure.add(rounded_box(-body, 0.0f, body, tall, 0.1f), Tone::coat);
  figure.add(rectangle(-0.14f, -0.12f, 0.14f, 0.04f), Tone::grey);
  if (instance.mark == Mark::none) {
    figure.detail(rounded_box(-body * 0.5f, tall * 0.3f, body * 0.5f, tall * 0.72f, 0.05f), Tone::second);
    figure.detail(circle({-body * 0.2f, tall * 0.51f}, 0.07f), Tone::lamp);
    figure.detail(circle({body * 0.2f, tall * 0.51f}, 0.07f), Tone::white);
  }
  const float low = -0.1f;
  const float top = -0.1f - head * 1.3f;
  add_antennas(figure, instance.variant, head, top, low);
  add_head(figure, head, top, low, eye);
  figure.anchors = {.top = {0.0f, top + 0.04f},
                    .top_width = head * 1.5f,
                    .top_turns = 0.0f,
                    .face = {0.0f, top + head * 0.52f},
                    .face_width = head * 1.75f,
                    .neck = {0.0f, 0.0f},
                    .neck_width = body * 1.5f,
                    .mark = {0.0f, tall * 0.52f},
                    .mark_radius = 0.29f};
  return figure;
}

}  // namespace atelier::pocket
