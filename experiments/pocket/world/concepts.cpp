#include "experiments/pocket/world/concepts.h"

namespace atelier::pocket {
namespace {

// Proportions lie beyond the -1 to 1 of ordinary objects in at least two places.
constexpr std::array<Concept, 12> kConcepts = [] {
  using enum Class;
  return std::array<Concept, 12>{{
      {"star_cat",
       {.kind = cat,
        .shape = {1.4f, -1.2f, 1.9f, 1.6f, 0.2f, 1.0f},
        .variant = 2,
        .hue = Hue::purple,
        .second = Hue::yellow,
        .texture = Texture::plain,
        .mark = Mark::star,
        .mark_hue = Hue::yellow},
       {Place::beach, Place::city, Place::snow, Place::kitchen, Place::forest}},
      {"stripy_cat",
       {.kind = cat,
        .shape = {-1.3f, 1.7f, -0.8f, -0.4f, -1.2f, 1.6f},
        .variant = 1,
        .hue = Hue::white,
        .second = Hue::green,
        .texture = Texture::striped,
        .period = 0.29f,
        .slant = 0.25f,
        .mark = Mark::heart,
        .mark_hue = Hue::red},
       {Place::desert, Place::forest, Place::city, Place::space, Place::beach}},
      {"long_dog",
       {.kind = dog,
        .shape = {2.2f, -1.6f, 1.0f, 1.8f, 0.4f, -0.6f},
        .variant = 1,
        .hue = Hue::yellow,
        .second = Hue::blue,
        .texture = Texture::plain,
        .mark = Mark::cross,
        .mark_hue = Hue::red},
       {Place::snow, Place::kitchen, Place::beach, Place::forest, Place::underwater}},
      {"ring_bird",
       {.kind = bird,
        .shape = {-1.2f, 1.7f, 1.8f, 1.2f, 0.3f, 2.2f},
        .variant = 1,
        .hue = Hue::pink,
        .second = Hue::green,
        .texture = Texture::plain,
        .mark = Mark::ring,
        .mark_hue = Hue::white},
       {Place::forest, Place::desert, Place::snow, Place::city, Place::kitchen}},
      {"moon_fish",
       {.kind = fish,
        .shape = {1.9f, 1.5f, 1.8f, 0.5f, -1.4f, -1.0f},
        .variant = 2,
        .hue = Hue::orange,
        .second = Hue::purple,
        .texture = Texture::plain,
        .mark = Mark::moon,
        .mark_hue = Hue::white},
       {Place::underwater, Place::beach, Place::space, Place::kitchen, Place::snow}},
      {"bolt_car",
       {.kind = car,
        .shape = {-1.5f, 1.8f, -1.4f, 1.8f, 0.2f, 0.6f},
        .variant = 1,
        .hue = Hue::green,
        .second = Hue::white,
        .texture = Texture::plain,
        .mark = Mark::bolt,
        .mark_hue = Hue::yellow},
       {Place::city, Place::desert, Place::snow, Place::forest, Place::beach}},
      {"dotty_boat",
       {.kind = boat,
        .shape = {-1.2f, 1.8f, 0.2f, 1.0f, 1.4f, 1.4f},
        .variant = 0,
        .hue = Hue::red,
        .second = Hue::white,
        .texture = Texture::dotted,
        .period = 0.26f,
        .mark = Mark::ring,
        .mark_hue = Hue::blue},
       {Place::beach, Place::underwater, Place::desert, Place::city, Place::space}},
      {"heart_house",
       {.kind = house,
        .shape = {-1.3f, 1.4f, 1.8f, 1.2f, -1.5f, 0.0f},
        .variant = 0,
        .hue = Hue::blue,
        .second = Hue::pink,
        .texture = Texture::plain,
        .mark = Mark::heart,
        .mark_hue = Hue::white},
       {Place::snow, Place::forest, Place::beach, Place::desert, Place::city}},
      {"cross_cup",
       {.kind = cup,
        .shape = {1.7f, -1.7f, 1.0f, 1.7f, 0.2f, -0.5f},
        .variant = 0,
        .hue = Hue::orange,
        .second = Hue::blue,
        .texture = Texture::plain,
        .mark = Mark::cross,
        .mark_hue = Hue::white},
       {Place::kitchen, Place::beach, Place::forest, Place::space, Place::snow}},
      {"tall_mushroom",
       {.kind = mushroom,
        .shape = {-1.6f, 1.6f, -0.6f, 1.8f, 1.6f, 0.4f},
        .variant = 0,
        .hue = Hue::yellow,
        .second = Hue::purple,
        .texture = Texture::plain,
        .mark = Mark::star,
        .mark_hue = Hue::red},
       {Place::forest, Place::city, Place::kitchen, Place::desert, Place::snow}},
      {"chess_robot",
       {.kind = robot,
        .shape = {1.6f, -1.3f, -0.6f, 1.7f, 1.2f, 1.4f},
        .variant = 1,
        .hue = Hue::white,
        .second = Hue::red,
        .texture = Texture::checked,
        .period = 0.26f,
        .mark = Mark::ring,
        .mark_hue = Hue::blue},
       {Place::space, Place::city, Place::kitchen, Place::beach, Place::forest}},
      {"bolt_robot",
       {.kind = robot,
        .shape = {-1.4f, 1.8f, 1.2f, -1.6f, -0.4f, 1.0f},
        .variant = 0,
        .hue = Hue::pink,
        .second = Hue::blue,
        .texture = Texture::plain,
        .mark = Mark::bolt,
        .mark_hue = Hue::yellow},
       {Place::city, Place::snow, Place::desert, Place::underwater, Place::kitchen}},
  }};
}();

}  // namespace

std::span<const Concept> concepts() { return kConcepts; }

std::vector<Scene> concept_scenes(const Concept& what) {
  Random random{0xC0FFEEu, static_cast<std::uint64_t>(&what - kConcepts.data())};
  std::vector<Scene> scenes;
  for (std::size_t i = 0; i < what.places.size(); ++i) {
    Scene scene;
    scene.instance = what.instance;
    scene.place = what.places[i];
    scene.pose = any_pose(random);
    scene.pose.flip = i % 2 == 1;
    scene.size = random.range(36.0f, 42.0f);
    scene.across = random.range(-0.6f, 0.6f);
    scene.depth = random.unit();
    scene.place_seed = random.next();
    scenes.push_back(scene);
  }
  return scenes;
}

Hue mark_hue_for(Hue hue, Hue second) {
  constexpr std::array<std::array<Hue, 2>, kPureColours> kContrast{{{Hue::white, Hue::yellow},
                                                                    {Hue::white, Hue::blue},
                                                                    {Hue::purple, Hue::red},
                                                                    {Hue::white, Hue::yellow},
                                                                    {Hue::yellow, Hue::white},
                                                                    {Hue::yellow, Hue::white},
                                                                    {Hue::blue, Hue::white},
                                                                    {Hue::red, Hue::blue}}};
  const auto& choices = kContrast[number(hue)];
  return choices[0] == second ? choices[1] : choices[0];
}

bool resembles_concept(const Instance& instance) {
  for (const Concept& known : kConcepts) {
    if (known.instance.kind != instance.kind) continue;
    const auto [a, b] = std::pair{known.instance.hue, known.instance.second};
    const bool same_hues = (a == instance.hue && b == instance.second) || (b == instance.hue && a == instance.second);
    const bool same_mark = known.instance.mark != Mark::none && known.instance.mark == instance.mark;
    if (same_hues || same_mark) return true;
  }
  return false;
}

}  // namespace atelier::pocket
