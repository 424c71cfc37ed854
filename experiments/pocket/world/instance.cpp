#include "experiments/pocket/world/instance.h"

#include "experiments/pocket/world/concepts.h"

namespace atelier::pocket {
namespace {

constexpr std::array<Rgb, kPureColours> kMain{rgb(226, 42, 42),   rgb(250, 140, 32), rgb(254, 224, 56),
                                              rgb(70, 190, 82),   rgb(56, 114, 236), rgb(150, 74, 204),
                                              rgb(253, 154, 204), rgb(248, 248, 246)};
// Far enough from the main tone for a texture of few pixels.
constexpr std::array<Rgb, kPureColours> kDark{rgb(104, 6, 14),  rgb(158, 58, 0), rgb(172, 116, 0),  rgb(8, 78, 34),
                                              rgb(10, 26, 100), rgb(54, 10, 86), rgb(186, 40, 112), rgb(116, 116, 120)};
constexpr Rgb kWhite = rgb(255, 255, 255);

/// The part of an instance that does not depend on how many hues it has.
Instance any_instance(Random& random) {
  Instance instance;
  instance.kind = static_cast<Class>(random.below(kClasses.size()));
  for (float& value : instance.shape) value = random.symmetric();
  instance.variant = random.below(3);
  instance.hue = static_cast<Hue>(random.below(kPureColours));
  instance.second = instance.hue;
  instance.shade = random.symmetric();
  if (!random.chance(0.4f)) instance.texture = static_cast<Texture>(1 + random.below(3));
  const bool dotted = instance.texture == Texture::dotted;  // small bodies have room for few dots
  instance.period = dotted ? random.range(0.24f, 0.27f) : random.range(0.26f, 0.31f);
  instance.slant = random.range(-0.03f, 0.03f);
  if (random.chance(0.5f)) instance.slant += 0.25f;
  instance.phase = random.unit();
  return instance;
}

}  // namespace

Rgb palette(Hue hue) { return kMain[number(hue)]; }
Rgb dark_palette(Hue hue) { return kDark[number(hue)]; }

Coat coat_of(const Instance& instance) {
  const auto shaded = [&](Rgb colour) {
    const float by = 0.08f * instance.shade;
    return by < 0.0f ? colour * (1.0f + by) : mix(colour, kWhite, by);
  };
  const Rgb main = shaded(palette(instance.hue));
  const Rgb line = dark_palette(instance.hue) * 0.5f;
  const Rgb pale = mix(main, kWhite, 0.6f);
  if (instance.two_hues())
    return {main, shaded(palette(instance.second)), shaded(palette(instance.second)), pale, line};
  const Rgb dark = shaded(dark_palette(instance.hue));
  const bool bright = instance.hue == Hue::yellow || instance.hue == Hue::pink || instance.hue == Hue::white;
  const Rgb pattern = instance.texture == Texture::dotted && !bright ? mix(main, kWhite, 0.66f) : dark;
  return {main, mix(main, dark, 0.5f), pattern, pale, line};  // parts are quieter than a texture: they are no dots
}

Instance ordinary_instance(Random& random) { return any_instance(random); }

Instance mixed_instance(Random& random) {
  for (;;) {
    Instance instance = any_instance(random);
    const int steps = 1 + random.below(kPureColours - 1);
    instance.second = static_cast<Hue>((static_cast<int>(instance.hue) + steps) % kPureColours);
    if (random.chance(0.7f)) instance.mark = static_cast<Mark>(1 + random.below(6));
    instance.mark_hue = mark_hue_for(instance.hue, instance.second);
    if (!resembles_concept(instance)) return instance;
  }
}

}  // namespace atelier::pocket
