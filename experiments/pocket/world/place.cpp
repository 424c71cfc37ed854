#include "experiments/pocket/world/place.h"

namespace atelier::pocket {

Ground paint_place(Canvas& canvas, Place place, Random& random) {
  using Paint = Ground (*)(Canvas&, Random&);
  static constexpr std::array<Paint, kPlaces.size()> kPaint{beach,  forest, snow,    city,
                                                            desert, space,  kitchen, underwater};
  return kPaint[number(place)](canvas, random);
}

}  // namespace atelier::pocket
