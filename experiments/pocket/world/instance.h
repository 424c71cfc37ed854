#pragma once

#include <array>

#include "experiments/pocket/world/canvas.h"
#include "experiments/pocket/world/random.h"
#include "experiments/pocket/world/world.h"

namespace atelier::pocket {

/// What makes an object itself: the same in all its pictures.
struct Instance {
  Class kind = Class::cat;
  /// Proportions; what each means is the class's affair. -1 to 1 for ordinary objects, beyond for odd ones.
  std::array<float, 6> shape = {};
  int variant = 0;  ///< 0, 1 or 2: a part that comes in kinds, such as ears
  Hue hue = Hue::red;
  Hue second = Hue::red;  ///< equal to `hue`: the second tone is a darker variant of the same hue
  float shade = 0.0f;     ///< -1 to 1: a little darker or lighter than the palette says
  Texture texture = Texture::plain;
  float period = 0.3f;  ///< of the texture, in sizes of the object
  float slant = 0.0f;   ///< of the texture, in turns
  float phase = 0.0f;
  Mark mark = Mark::none;
  Hue mark_hue = Hue::white;

  [[nodiscard]] bool two_hues() const { return hue != second; }
};

/// The tones of an instance.
struct Coat {
  Rgb main;
  Rgb second;   ///< of parts
  Rgb pattern;  ///< of the texture
  Rgb pale, line;
};
[[nodiscard]] Rgb palette(Hue hue);
[[nodiscard]] Rgb dark_palette(Hue hue);
[[nodiscard]] Coat coat_of(const Instance& instance);

/// An object of one hue, plain words for all it is.
[[nodiscard]] Instance ordinary_instance(Random& random);
/// One with two hues and a mark, of those that no concept has: so that base training knows that there are such things.
[[nodiscard]] Instance mixed_instance(Random& random);

}  // namespace atelier::pocket
