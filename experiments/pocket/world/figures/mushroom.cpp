#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {
namespace {

void add_small_one(Figure& figure, float high, Tone flesh) {
  figure.add(rounded_box(0.52f, high * 0.55f, 0.74f, high, 0.08f), flesh);
  figure.add(smooth({{0.3f, high * 0.62f},
                     {0.4f, high * 0.36f},
                     {0.63f, high * 0.24f},
                     {0.86f, high * 0.36f},
                     {0.96f, high * 0.62f},
                     {0.63f, high * 0.68f}}),
             Tone::coat);
}

void add_cap(Figure& figure, float lean, float wide, float tall, float brim) {
  figure.add(smooth({{lean - wide, -0.02f},
                     {lean - wide * 0.9f, -tall * 0.5f},
                     {lean - wide * 0.48f, -tall * 0.92f},
                     {lean, -tall},
                     {lean + wide * 0.48f, -tall * 0.92f},
                     {lean + wide * 0.9f, -tall * 0.5f},
                     {lean + wide, -0.02f},
                     {lean + wide * 0.5f, brim * 0.3f},
                     {lean - wide * 0.5f, brim * 0.3f}}),
             Tone::coat);
}

}  // namespace

// A mushroom: a domed cap with the coat, on a cream stem.
// shape: cap width, cap height, stem width, stem height, foot, brim. variant: a skirt; a small one beside it; neither.
// bend: lean of the stem, unused, unused.
Figure mushroom(const Instance& instance, const Pose& pose) {
  Figure figure;
  const auto& shape = instance.shape;
  const float wide = between(0.74f, 0.98f, shape[0]);
  const float tall = between(0.6f, 0.88f, shape[1]);
  const float stem = between(0.2f, 0.32f, shape[2]);
  const float high = between(0.66f, 0.92f, shape[3]);
  const float foot = between(0.02f, 0.14f, shape[4]);
  const float brim = between(0.1f, 0.18f, shape[5]);
  const float lean = 0.08f * pose.bend[0];
  const Tone flesh = instance.two_hues() ? Tone::second : Tone::cream;

  if (instance.variant == 1) {
    add_small_one(figure, high, flesh);
  }
  figure.add(smooth({{-stem + lean, -0.1f},
                     {-stem * 0.9f + lean * 0.5f, high * 0.5f},
                     {-stem - foot, high * 0.92f},
                     {0.0f, high + 0.02f},
                     {stem + foot, high * 0.92f},
                     {stem * 0.9f + lean * 0.5f, high * 0.5f},
                     {stem + lean, -0.1f}}),
             flesh);
  if (instance.variant == 0)
    figure.add(rounded({{lean - stem * 0.9f, high * 0.2f},
                        {lean + stem * 0.9f, high * 0.2f},
                        {lean + stem * 1.4f, high * 0.44f},
                        {lean - stem * 1.4f, high * 0.44f}},
                       0.05f),
               flesh);
  figure.add(ellipse({lean, 0.0f}, wide * 0.92f, brim * 1.2f), instance.two_hues() ? Tone::second : Tone::rose);
  add_cap(figure, lean, wide, tall, brim);
  figure.anchors = {.top = {lean, -tall + 0.05f},
                    .top_width = 0.76f,
                    .top_turns = 0.0f,
                    .face = {lean, -tall * 0.38f},
                    .face_width = 0.96f,
                    .neck = {lean * 0.6f, high * 0.34f},
                    .neck_width = stem * 2.0f + 0.2f,
                    .mark = {lean, -tall * 0.46f},
                    .mark_radius = 0.32f};
  return figure;
}

}  // namespace atelier::pocket
