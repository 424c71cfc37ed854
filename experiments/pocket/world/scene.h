#pragma once

#include <array>
#include <cstdint>

#include "experiments/pocket/world/figure.h"
#include "experiments/pocket/world/place.h"

namespace atelier::pocket {

/// Everything that decides a picture.
struct Scene {
  Instance instance;
  Place place = Place::beach;
  Style style = Style::photo;
  Accessory accessory = Accessory::none;
  Pose pose;
  float size = 34.0f;   ///< the subject's longer side in pixels
  float across = 0.0f;  ///< where it stands: -1 is as far left as fits, 1 as far right
  float depth = 0.5f;   ///< 0 is far, 1 near
  std::uint64_t place_seed = 0;
};

struct Picture {
  std::array<std::uint8_t, kSide * kSide * 3> image;  ///< [64, 64, 3] RGB, rows from the top
  /// [64, 64]: how much of each pixel is the subject that can be seen, 0 to 255. What it wears does not belong to it.
  std::array<std::uint8_t, kSide * kSide> mask;
};

/// Draws scenes. It holds the working memory, so keep one for many scenes; one thread at a time.
/// The same scene gives the same bytes on every machine.
class Renderer {
 public:
  void render(const Scene& scene, Picture& picture);

 private:
  void paint_subject(const Scene& scene, Ground ground);
  Canvas canvas_;
  Coverage grown_;
};

}  // namespace atelier::pocket
