#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "experiments/pocket/world/instance.h"
#include "experiments/pocket/world/scene.h"

namespace atelier::pocket {

/// An object that base training never draws: odd proportions, two hues, a mark. Words know only its class.
struct Concept {
  std::string_view name;
  Instance instance;
  std::array<Place, 5> places = {};
};
[[nodiscard]] std::span<const Concept> concepts();
/// Its five photos, in other places and poses.
[[nodiscard]] std::vector<Scene> concept_scenes(const Concept& what);

/// The colour of a mark that shows on both hues.
[[nodiscard]] Hue mark_hue_for(Hue hue, Hue second);
/// Whether base training must not draw this: an object of a concept's class with its two hues (in either order) or its
/// mark.
[[nodiscard]] bool resembles_concept(const Instance& instance);

}  // namespace atelier::pocket
