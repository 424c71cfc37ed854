#include "experiments/pocket/world/scene.h"

#include "experiments/pocket/world/style.h"
#include "experiments/pocket/world/texture.h"
#include "experiments/pocket/world/worn.h"

namespace atelier::pocket {
namespace {

constexpr float kBorder = 2.0f;  // pixels that stay free around the subject and what it wears

Rgb plain_tone(Tone tone, const Coat& coat, Rgb mark) {
  switch (tone) {
    case Tone::coat:
      return coat.main;
    case Tone::second:
      return coat.second;
    case Tone::pale:
      return coat.pale;
    case Tone::line:
      return coat.line;
    case Tone::white:
      return rgb(252, 252, 250);
    case Tone::black:
      return rgb(28, 26, 32);
    case Tone::glass:
      return rgb(182, 216, 234);
    case Tone::grey:
      return rgb(142, 148, 158);
    case Tone::wood:
      return rgb(112, 72, 42);
    case Tone::beak:
      return rgb(250, 176, 44);
    case Tone::cream:
      return rgb(246, 232, 208);
    case Tone::rose:
      return rgb(222, 190, 172);
    case Tone::lamp:
      return rgb(255, 230, 130);
    case Tone::mark:
      return mark;
  }
  return {};
}

struct Fit {
  Transform transform;
  float units = 2.0f;  // the figure's longer side in its own units
  float pixels = 32.0f;
  Point foot;  // middle of its lowest edge, in pixels
  float width = 0.0f;
};

Box bounds(const std::vector<Path>& paths) {
  Box box;
  for (const Path& path : paths) box.include(path);
  return box;
}

/// Puts the figure on the ground, whole inside the picture.
Fit fit(const Scene& scene, const Figure& figure, const std::vector<PaintedPart>& clothes, Ground ground) {
  const Transform turned = Transform::similarity(1.0f, scene.pose.turns, scene.pose.flip, {});
  std::vector<Path> own;
  for (const Part& part : figure.parts) own.push_back(part.path);
  for (Path& path : own) path.apply(turned);
  const Box body = bounds(own);
  for (const PaintedPart& part : clothes) {
    own.push_back(part.path);
    own.back().apply(turned);
  }
  const Box all = bounds(own);

  constexpr float kRoom = static_cast<float>(kSide) - 2.0f * kBorder;
  const float units = std::max(body.width(), body.height());
  const float pixels = std::min(scene.size, kRoom * units / std::max(all.width(), all.height()));
  const float scale = pixels / units;
  // The place is chosen for the figure alone; what it wears moves it only where it would not fit.
  const auto inside = [scale](float value, float low, float high) {
    return std::max(std::min(value, kBorder + kRoom - high * scale), kBorder - low * scale);
  };
  const float x = lerp(kBorder - body.low.x * scale, kBorder + kRoom - body.high.x * scale, 0.5f + 0.5f * scene.across);
  const float y = lerp(ground.low, ground.high, scene.depth) - body.high.y * scale;
  const Point shift{inside(x, all.low.x, all.high.x), inside(y, all.low.y, all.high.y)};
  Fit result;
  result.transform = Transform::similarity(scale, scene.pose.turns, scene.pose.flip, shift);
  result.units = units;
  result.pixels = pixels;
  result.foot = {shift.x + (body.low.x + body.high.x) * 0.5f * scale, shift.y + body.high.y * scale};
  result.width = body.width() * scale;
  return result;
}

}  // namespace

void Renderer::paint_subject(const Scene& scene, Ground ground) {
  const Figure figure = draw_figure(scene.instance, scene.pose);
  std::vector<PaintedPart> clothes = worn(scene.accessory, figure.anchors);
  const Fit placed = fit(scene, figure, clothes, ground);
  const Coat coat = coat_of(scene.instance);
  const TexturePaint texture(scene.instance, placed.pixels);
  const Transform back = placed.transform.inverse();
  const StyleTraits traits = traits_of(scene.style);
  const float per_unit = 1.0f / placed.units;
  Rasteriser& rasteriser = canvas_.rasteriser();

  if (!ground.floats)
    canvas_.fill(ellipse(placed.foot + Point{0.0f, -0.6f}, placed.width * 0.5f, 2.6f), rgb(20, 18, 30), 0.32f);

  const auto paint = [&](Path path, Rgb colour, Rgb line, bool lined, bool textured, float subject) {
    path.apply(placed.transform);
    const Coverage& coverage = rasteriser.cover(path);
    if (lined) {
      grow(coverage, traits.outline, grown_);
      canvas_.fill(grown_, 1.0f, subject, [line](int, int) { return line; });
    }
    canvas_.fill(coverage, 1.0f, subject, [&](int x, int y) {
      const Point at = back({static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f}) * per_unit;
      const Rgb own = textured ? mix(colour, coat.pattern, texture(at)) : colour;
      const float light = traits.shading * (-0.04f - 0.5f * at.y);  // brighter above
      return light < 0.0f ? own * (1.0f + light) : mix(own, {1.0f, 1.0f, 1.0f}, light);
    });
  };
  const Rgb line = traits.black_line ? rgb(18, 16, 22) : coat.line;
  const Rgb mark = palette(scene.instance.mark_hue);
  // A texture needs all the room there is: it covers the parts too, unless they have a hue of their own.
  const auto patterned = [&instance = scene.instance](Tone tone) {
    return instance.texture != Texture::plain && (tone == Tone::coat || (tone == Tone::second && !instance.two_hues()));
  };
  for (const Part& part : figure.parts) {
    const bool textured = patterned(part.tone);
    paint(part.path, textured ? coat.main : plain_tone(part.tone, coat, mark), line, part.lined, textured, 1.0f);
  }
  if (scene.instance.mark != Mark::none)
    paint(mark_path(scene.instance.mark, figure.anchors.mark, figure.anchors.mark_radius), mark, line, true, false,
          1.0f);
  for (PaintedPart& part : clothes)
    paint(std::move(part.path), part.colour, mix(part.colour, rgb(0, 0, 0), 0.6f), part.lined, false, 0.0f);
}

void Renderer::render(const Scene& scene, Picture& picture) {
  canvas_.clear();
  Random random{scene.place_seed, 0x91ACEu};
  const Ground ground = paint_place(canvas_, scene.place, random);
  paint_subject(scene, ground);
  apply_style(canvas_, scene.style, scene.place_seed);
  const auto byte = [](float value) { return static_cast<std::uint8_t>(floor_int(clamp01(value) * 255.0f + 0.5f)); };
  for (std::size_t i = 0; i < picture.mask.size(); ++i) {
    const Rgb colour = canvas_.pixels()[i];
    picture.image[3 * i] = byte(colour.red);
    picture.image[3 * i + 1] = byte(colour.green);
    picture.image[3 * i + 2] = byte(colour.blue);
    picture.mask[i] = byte(canvas_.matte()[i]);
  }
}

}  // namespace atelier::pocket
