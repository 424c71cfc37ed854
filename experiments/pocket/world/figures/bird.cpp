#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {
namespace {

void add_wing(Figure& figure, float up, float wing) {
  if (up > 0.1f)  // raised
    figure.add(smooth({{-0.3f, 0.02f},
                       {-0.34f - wing * 0.5f, -0.5f - wing * 0.9f},
                       {0.02f, -0.44f - wing * 0.4f},
                       {0.2f, -0.04f}}),
               Tone::second);
  else
    figure.add(
        smooth({{0.2f, -0.16f}, {0.18f, 0.14f}, {-wing * 0.6f, 0.3f}, {-0.3f - wing, 0.02f}, {-wing * 0.5f, -0.2f}}),
        Tone::second);
}

void add_crest_and_beak(Figure& figure, Point middle, float head, float beak, bool crest) {
  if (crest)
    figure.add(polygon({{middle.x - head * 0.8f, middle.y - head * 0.4f},
                        {middle.x - head * 0.7f, middle.y - head * 1.75f},
                        {middle.x + head * 0.35f, middle.y - head * 0.75f}}),
               Tone::second);
  figure.add(polygon({{middle.x + head * 0.6f, middle.y - head * 0.5f},
                      {middle.x + head * 0.75f + beak, middle.y + 0.06f},
                      {middle.x + head * 0.6f, middle.y + head * 0.5f}}),
             Tone::beak);
}

}  // namespace

// A plump bird seen from its side, facing right.
// shape: body length, head size, beak length, tail length, wing size, leg length. variant: none; crest; fan of a tail.
// bend: wing (down to up), head, legs.
Figure bird(const Instance& instance, const Pose& pose) {
  Figure figure;
  const auto& shape = instance.shape;
  const float body = between(0.56f, 0.74f, shape[0]);
  const float head = between(0.32f, 0.42f, shape[1]);
  const float beak = between(0.26f, 0.46f, shape[2]);
  const float tail = between(0.36f, 0.62f, shape[3]);
  const float wing = between(0.4f, 0.56f, shape[4]);
  const float leg = between(0.2f, 0.36f, shape[5]);

  for (const float x : {-0.12f, 0.16f}) {
    const float foot = x + 0.08f * pose.bend[2];
    figure.add(stroke({{x, 0.4f}, {foot, 0.52f + leg}, {foot + 0.17f, 0.54f + leg}}, 0.055f, 0.055f), Tone::beak);
  }
  const float spread = instance.variant == 2 ? 0.3f : 0.14f;
  figure.add(rounded({{-body * 0.6f, -0.06f},
                      {-body - tail, -0.3f - spread},
                      {-body - tail * 0.9f, -0.1f + spread},
                      {-body * 0.55f, 0.28f}},
                     0.08f),
             Tone::second);
  const Point middle{body * 0.62f, -0.5f + 0.05f * pose.bend[1]};
  add_crest_and_beak(figure, middle, head, beak, instance.variant == 1);
  figure.add(smooth({{-body, -0.18f},
                     {-body * 0.3f, -0.42f},
                     {body * 0.45f, -0.5f},
                     {body * 0.95f, -0.1f},
                     {body * 0.7f, 0.4f},
                     {0.0f, 0.56f},
                     {-body * 0.7f, 0.3f}}),
             Tone::coat);
  figure.add(circle(middle, head), Tone::coat);
  figure.detail(ellipse({middle.x - head * 0.1f, middle.y + head * 0.6f}, head * 0.86f, head * 0.6f), Tone::coat);
  figure.detail(ellipse({body * 0.45f, 0.2f}, 0.2f, 0.26f), instance.two_hues() ? Tone::second : Tone::pale);
  add_wing(figure, pose.bend[0], wing);
  const Point eye{middle.x + head * 0.3f, middle.y - head * 0.16f};
  figure.detail(circle(eye, 0.115f), Tone::white);
  figure.detail(circle(eye, 0.075f), Tone::black);
  figure.anchors = {.top = {middle.x, middle.y - head * 0.88f},
                    .top_width = head * 1.75f,
                    .top_turns = 0.0f,
                    .face = eye,
                    .face_width = head * 1.95f,
                    .neck = {middle.x - 0.06f, middle.y + head * 0.86f},
                    .neck_width = head * 1.9f,
                    .mark = {-0.02f, 0.08f},
                    .mark_radius = 0.27f};
  return figure;
}

}  // namespace atelier::pocket
