#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "experiments/pocket/world/instance.h"
#include "experiments/pocket/world/path.h"

namespace atelier::pocket {

/// Which paint a part gets.
enum class Tone : std::uint8_t {
  coat,    ///< main tone, with the texture
  second,  ///< second tone
  pale,    ///< main tone, much lighter
  line,    ///< darkest tone of the coat
  white,
  black,
  glass,
  grey,
  wood,
  beak,
  cream,
  rose,
  lamp,
  mark
};

struct Part {
  Path path;
  Tone tone = Tone::coat;
  bool lined = true;  ///< with an outline
};

/// Where things are put on. In the figure's own coordinates.
struct Anchors {
  Point top;  ///< where a hat stands
  float top_width = 0.6f;
  float top_turns = 0.0f;
  Point face;  ///< middle between the eyes, or where eyes would be
  float face_width = 0.6f;
  Point neck;
  float neck_width = 0.6f;
  float neck_turns = 0.0f;
  float neck_height = 0.6f;  ///< of the scarf, with its end
  Point mark;
  float mark_radius = 0.25f;
};

/// An object before it has a place in a picture: parts from back to front. x right, y down; about 2 units large.
struct Figure {
  std::vector<Part> parts;
  Anchors anchors;
  void add(Path path, Tone tone) { parts.push_back({std::move(path), tone, true}); }
  /// Without an outline: details within a part.
  void detail(Path path, Tone tone) { parts.push_back({std::move(path), tone, false}); }
};

/// How an object stands in one picture.
struct Pose {
  std::array<float, 3> bend = {};  ///< -1 to 1: tail, legs, wing, …: the class's affair
  bool flip = false;
  float turns = 0.0f;
};
[[nodiscard]] Pose any_pose(Random& random);

[[nodiscard]] Figure draw_figure(const Instance& instance, const Pose& pose);

/// `low` at -1, `high` at 1, and on beyond them.
[[nodiscard]] constexpr float between(float low, float high, float value) {
  return lerp(low, high, 0.5f + 0.5f * value);
}

// One for each class. `shape` and `bend` are described in the .cpp files.
[[nodiscard]] Figure cat(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure dog(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure bird(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure fish(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure car(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure boat(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure house(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure cup(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure mushroom(const Instance& instance, const Pose& pose);
[[nodiscard]] Figure robot(const Instance& instance, const Pose& pose);

}  // namespace atelier::pocket
