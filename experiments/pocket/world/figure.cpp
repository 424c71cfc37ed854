#include "experiments/pocket/world/figure.h"

namespace atelier::pocket {

Pose any_pose(Random& random) {
  Pose pose;
  for (float& bend : pose.bend) bend = random.symmetric();
  pose.flip = random.chance(0.5f);
  pose.turns = random.range(-0.014f, 0.014f);
  return pose;
}

Figure draw_figure(const Instance& instance, const Pose& pose) {
  using Draw = Figure (*)(const Instance&, const Pose&);
  static constexpr std::array<Draw, kClasses.size()> kDraw{cat,  dog,   bird, fish,     car,
                                                           boat, house, cup,  mushroom, robot};
  return kDraw[number(instance.kind)](instance, pose);
}

}  // namespace atelier::pocket
