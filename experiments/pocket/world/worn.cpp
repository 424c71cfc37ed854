#include "experiments/pocket/world/worn.h"

namespace atelier::pocket {
namespace {

// Each is drawn about the origin with the anchor's width as 1, then put in its place.

std::vector<PaintedPart> hat() {
  const Rgb felt = rgb(58, 44, 40);
  return {{rounded_box(-0.4f, -0.8f, 0.4f, 0.02f, 0.06f), felt},
          {rectangle(-0.4f, -0.24f, 0.4f, -0.06f), rgb(232, 226, 214), false},
          {ellipse({0.0f, 0.02f}, 0.72f, 0.13f), felt}};
}

std::vector<PaintedPart> crown() {
  const Rgb gold = rgb(255, 206, 48);
  std::vector<PaintedPart> parts{{polygon({{-0.5f, 0.06f},
                                           {-0.6f, -0.56f},
                                           {-0.26f, -0.26f},
                                           {0.0f, -0.68f},
                                           {0.26f, -0.26f},
                                           {0.6f, -0.56f},
                                           {0.5f, 0.06f}}),
                                  gold}};
  for (const float x : {-0.28f, 0.0f, 0.28f}) parts.push_back({circle({x, -0.08f}, 0.09f), rgb(24, 178, 178), false});
  return parts;
}

std::vector<PaintedPart> scarf() {
  const Rgb wool = rgb(20, 172, 172);
  const Rgb band = rgb(232, 250, 248);
  return {{polygon({{0.1f, 0.0f}, {0.36f, 0.0f}, {0.42f, 0.58f}, {0.14f, 0.6f}}), wool},
          {polygon({{0.12f, 0.36f}, {0.4f, 0.35f}, {0.41f, 0.48f}, {0.13f, 0.49f}}), band, false},
          {rounded_box(-0.54f, -0.15f, 0.54f, 0.16f, 0.14f), wool},
          {rectangle(-0.3f, -0.15f, -0.14f, 0.16f), band, false},
          {rectangle(0.04f, -0.15f, 0.2f, 0.16f), band, false}};
}

std::vector<PaintedPart> sunglasses() {
  const Rgb dark = rgb(20, 20, 26);
  std::vector<PaintedPart> parts{{rectangle(-0.52f, -0.15f, 0.52f, -0.06f), dark, false}};
  for (const float side : {-1.0f, 1.0f}) {
    const float x = side * 0.26f;
    parts.push_back(
        {rounded({{x - 0.22f, -0.17f}, {x + 0.22f, -0.17f}, {x + 0.19f, 0.17f}, {x - 0.19f, 0.17f}}, 0.11f), dark});
    parts.push_back({polygon({{x - 0.14f, -0.1f}, {x - 0.02f, -0.1f}, {x - 0.12f, 0.07f}}), rgb(150, 190, 210), false});
  }
  return parts;
}

Transform stretched(float wide, float high, float turns, Point shift) {
  const float c = cos_turns(turns);
  const float s = sin_turns(turns);
  return {c * wide, -s * high, s * wide, c * high, shift};
}

Path heart(Point c, float r) {
  return smooth({c + Point{0.0f, -r * 0.45f}, c + Point{r * 0.5f, -r * 0.85f}, c + Point{r * 0.98f, -r * 0.3f},
                 c + Point{r * 0.55f, r * 0.4f}, c + Point{0.0f, r * 0.95f}, c + Point{-r * 0.55f, r * 0.4f},
                 c + Point{-r * 0.98f, -r * 0.3f}, c + Point{-r * 0.5f, -r * 0.85f}});
}

Path cross(Point c, float r) {
  const float w = r * 0.36f;
  return polygon({c + Point{-w, -r}, c + Point{w, -r}, c + Point{w, -w}, c + Point{r, -w}, c + Point{r, w},
                  c + Point{w, w}, c + Point{w, r}, c + Point{-w, r}, c + Point{-w, w}, c + Point{-r, w},
                  c + Point{-r, -w}, c + Point{-w, -w}});
}

Path bolt(Point c, float r) {
  return polygon({c + Point{0.2f * r, -r}, c + Point{-0.65f * r, 0.2f * r}, c + Point{-0.05f * r, 0.2f * r},
                  c + Point{-0.25f * r, r}, c + Point{0.65f * r, -0.25f * r}, c + Point{0.08f * r, -0.25f * r},
                  c + Point{0.6f * r, -r}});
}

Path moon(Point c, float r) {
  return smooth({c + Point{0.35f * r, -0.95f * r}, c + Point{-0.3f * r, -0.85f * r}, c + Point{-0.85f * r, -0.2f * r},
                 c + Point{-0.75f * r, 0.45f * r}, c + Point{-0.2f * r, 0.95f * r}, c + Point{0.5f * r, 0.9f * r},
                 c + Point{0.85f * r, 0.5f * r}, c + Point{0.2f * r, 0.4f * r}, c + Point{-0.15f * r, -0.05f * r},
                 c + Point{0.0f, -0.55f * r}});
}

}  // namespace

std::vector<PaintedPart> worn(Accessory accessory, const Anchors& anchors) {
  using Draw = std::vector<PaintedPart> (*)();
  static constexpr std::array<Draw, kAccessories.size()> kDraw{nullptr, hat, crown, scarf, sunglasses};
  if (accessory == Accessory::none) return {};
  Transform put = Transform::similarity(anchors.top_width, anchors.top_turns, false, anchors.top);
  if (accessory == Accessory::scarf)
    put = stretched(anchors.neck_width, anchors.neck_height, anchors.neck_turns, anchors.neck);
  if (accessory == Accessory::sunglasses) put = Transform::similarity(anchors.face_width, 0.0f, false, anchors.face);
  auto parts = kDraw[number(accessory)]();
  for (PaintedPart& part : parts) part.path.apply(put);
  return parts;
}

Path mark_path(Mark mark, Point centre, float radius) {
  switch (mark) {
    case Mark::star:
      return star(centre, radius * 1.1f, radius * 0.48f, 5);
    case Mark::ring:
      return ring(centre, radius * 1.05f, radius * 0.56f);
    case Mark::cross:
      return cross(centre, radius);
    case Mark::heart:
      return heart(centre, radius);
    case Mark::bolt:
      return bolt(centre, radius * 1.1f);
    case Mark::moon:
      return moon(centre, radius);
    case Mark::none:
      break;
  }
  return {};
}

}  // namespace atelier::pocket
