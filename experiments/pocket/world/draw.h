#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/pocket/world/scene.h"

namespace atelier::pocket {

enum class Split : int {
  train,  ///< no reserved combination; some objects of two hues
  test    ///< ordinary objects, other ones than train's, in all places
};
inline constexpr std::array<std::string_view, 2> kSplits{"train", "test"};

inline constexpr int kImagesPerInstance = 4;

/// One image of a set. Image i is the (i mod 4)-th of instance i / 4, all in different places, and depends on nothing
/// but seed, split and i: a longer set begins with the shorter one.
struct DrawnScene {
  Scene scene;
  std::int64_t instance = 0;
  std::vector<std::string> captions;  ///< 3
};
[[nodiscard]] DrawnScene draw_scene(Split split, std::uint64_t seed, std::int64_t image);

/// The words for what a scene shows, as set.json lists them.
struct Attributes {
  std::string_view kind, colour, texture, place, style, accessory;
};
[[nodiscard]] Attributes attributes_of(const Scene& scene);

}  // namespace atelier::pocket
