#pragma once

#include <array>
#include <string_view>

namespace atelier::pocket {

/// Raised whenever a scene, its captions or its pixels change.
inline constexpr int kWorldVersion = 1;

// What the world has. The order of the names is the order of the numbers.
inline constexpr std::array<std::string_view, 10> kClasses{"cat",  "dog",   "bird", "fish",     "car",
                                                           "boat", "house", "cup",  "mushroom", "robot"};
/// The last one is not a word of the world: two hues on one object, which no caption names.
inline constexpr std::array<std::string_view, 9> kColours{"red",    "orange", "yellow", "green", "blue",
                                                          "purple", "pink",   "white",  "mixed"};
inline constexpr int kPureColours = 8;
inline constexpr std::array<std::string_view, 4> kTextures{"plain", "striped", "dotted", "checked"};
inline constexpr std::array<std::string_view, 8> kPlaces{"beach",  "forest", "snow",    "city",
                                                         "desert", "space",  "kitchen", "underwater"};
inline constexpr std::array<std::string_view, 5> kStyles{"photo", "pencil", "poster", "night", "watercolour"};
inline constexpr std::array<std::string_view, 5> kAccessories{"none", "hat", "crown", "scarf", "sunglasses"};

enum class Class : int { cat, dog, bird, fish, car, boat, house, cup, mushroom, robot };
enum class Hue : int { red, orange, yellow, green, blue, purple, pink, white };
enum class Texture : int { plain, striped, dotted, checked };
enum class Place : int { beach, forest, snow, city, desert, space, kitchen, underwater };
enum class Style : int { photo, pencil, poster, night, watercolour };
enum class Accessory : int { none, hat, crown, scarf, sunglasses };
enum class Mark : int { none, star, ring, cross, heart, bolt, moon };

template <typename Value>
[[nodiscard]] constexpr std::size_t number(Value value) {
  return static_cast<std::size_t>(value);
}

/// Combinations that base training never draws, so that prompts for them measure composition: for each class and colour
/// one place, each place once for each class (80 of 640).
[[nodiscard]] constexpr bool reserved(Class kind, Hue hue, Place place) {
  return (static_cast<int>(kind) + 3 * static_cast<int>(hue)) % 8 == static_cast<int>(place);
}

}  // namespace atelier::pocket
