#include "experiments/pocket/world/draw.h"

#include <algorithm>
#include <numeric>

#include "experiments/pocket/world/captions.h"

namespace atelier::pocket {
namespace {

constexpr float kMixedShare = 0.12f;

Instance draw_instance(Split split, Random& random) {
  const bool mixed = split == Split::train && random.chance(kMixedShare);
  return mixed ? mixed_instance(random) : ordinary_instance(random);
}

/// The instance's images get the first places of a shuffled list, without the reserved one.
Place place_of(Split split, const Instance& instance, std::size_t image, Random& random) {
  std::array<Place, kPlaces.size()> places{};
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<Place>(i);
  for (std::size_t i = places.size() - 1; i > 0; --i)
    std::swap(places[i], places[static_cast<std::size_t>(random.below(static_cast<int>(i) + 1))]);
  if (split == Split::test) return places[image];
  const auto end = std::remove_if(places.begin(), places.end(),
                                  [&](Place place) { return reserved(instance.kind, instance.hue, place); });
  return places[image % static_cast<std::size_t>(end - places.begin())];
}

}  // namespace

DrawnScene draw_scene(Split split, std::uint64_t seed, std::int64_t image) {
  DrawnScene drawn;
  drawn.instance = image / kImagesPerInstance;
  const auto name = static_cast<std::uint64_t>(drawn.instance);
  Random object{seed, static_cast<std::uint64_t>(split), name, 1};
  Random order{seed, static_cast<std::uint64_t>(split), name, 2};
  Random random{seed, static_cast<std::uint64_t>(split), static_cast<std::uint64_t>(image), 3};
  Scene& scene = drawn.scene;
  scene.instance = draw_instance(split, object);
  scene.place = place_of(split, scene.instance, static_cast<std::size_t>(image % kImagesPerInstance), order);
  if (!random.chance(0.5f)) scene.style = static_cast<Style>(1 + random.below(4));
  if (!random.chance(0.6f)) scene.accessory = static_cast<Accessory>(1 + random.below(4));
  scene.pose = any_pose(random);
  scene.size = random.range(34.0f, 41.0f);
  scene.across = random.symmetric();
  scene.depth = random.unit();
  scene.place_seed = random.next();
  drawn.captions = captions_of(scene, random);
  return drawn;
}

Attributes attributes_of(const Scene& scene) {
  const Instance& instance = scene.instance;
  return {.kind = kClasses[number(instance.kind)],
          .colour = instance.two_hues() ? kColours.back() : kColours[number(instance.hue)],
          .texture = kTextures[number(instance.texture)],
          .place = kPlaces[number(scene.place)],
          .style = kStyles[number(scene.style)],
          .accessory = kAccessories[number(scene.accessory)]};
}

}  // namespace atelier::pocket
