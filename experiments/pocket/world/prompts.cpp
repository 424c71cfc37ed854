#include "experiments/pocket/world/prompts.h"

#include <fmt/format.h>

namespace atelier::pocket {
namespace {

constexpr std::size_t kSwapsEach = 10;

Place reserved_place(Class kind, Hue hue) {
  for (std::size_t i = 0; i < kPlaces.size(); ++i) {
    if (reserved(kind, hue, static_cast<Place>(i))) return static_cast<Place>(i);
  }
  return Place::beach;  // not reached: each class and colour has one
}

/// One attribute of a naming, with its name and all its words.
struct Axis {
  std::string_view name;
  std::string_view Naming::*member;
  std::vector<std::string_view> values;
};

template <std::size_t N>
std::vector<std::string_view> words(const std::array<std::string_view, N>& names, std::size_t first = 0,
                                    std::size_t end = N) {
  return {names.begin() + static_cast<std::ptrdiff_t>(first), names.begin() + static_cast<std::ptrdiff_t>(end)};
}

std::vector<Axis> axes() {
  return {{"class", &Naming::kind, words(kClasses)}, {"colour", &Naming::colour, words(kColours, 0, kPureColours)},
          {"place", &Naming::place, words(kPlaces)}, {"texture", &Naming::texture, words(kTextures)},
          {"style", &Naming::style, words(kStyles)}, {"accessory", &Naming::accessory, words(kAccessories, 1)}};
}

/// "class: cat, colour: red, place: beach"
std::string attributes_yaml(const Naming& naming) {
  std::string text;
  for (const Axis& axis : axes()) {
    const std::string_view value = naming.*axis.member;
    if (!value.empty()) text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", axis.name, value);
  }
  return text;
}

}  // namespace

std::vector<HeldOutPrompt> held_out_prompts() {
  std::vector<HeldOutPrompt> prompts;
  for (std::size_t kind = 0; kind < kClasses.size(); ++kind) {
    for (std::size_t i = 0; i < 6; ++i) {
      const auto hue = static_cast<Hue>((kind + i) % kPureColours);
      const Naming naming{.colour = kColours[number(hue)],
                          .texture = {},
                          .kind = kClasses[kind],
                          .place = kPlaces[number(reserved_place(static_cast<Class>(kind), hue))],
                          .style = {},
                          .accessory = {}};
      prompts.push_back({prompt_of(naming), naming});
    }
  }
  return prompts;
}

std::vector<WordSwap> word_swaps() {
  std::vector<WordSwap> swaps;
  Random random{0x5A9u};
  const auto any = [&random](const std::vector<std::string_view>& values) {
    return values[static_cast<std::size_t>(random.below(static_cast<int>(values.size())))];
  };
  const auto all = axes();
  for (const Axis& changed : all) {
    for (std::size_t i = 0; i < kSwapsEach; ++i) {
      Naming naming;
      for (const Axis& axis : all) naming.*axis.member = any(axis.values);
      if (changed.name != "style") naming.style = "photo";
      if (changed.name != "accessory") naming.accessory = "none";
      const auto first = static_cast<std::size_t>(random.below(static_cast<int>(changed.values.size())));
      const std::size_t step = 1 + static_cast<std::size_t>(random.below(static_cast<int>(changed.values.size()) - 1));
      naming.*changed.member = changed.values[first];
      Naming other = naming;
      other.*changed.member = changed.values[(first + step) % changed.values.size()];
      swaps.push_back(
          {prompt_of(naming), prompt_of(other), changed.name, naming.*changed.member, other.*changed.member});
    }
  }
  return swaps;
}

std::string prompts_yaml() {
  std::string text =
      "# Written by `pocket-world prompts`. Each combination of class, colour and place is one that base training "
      "never drew.\nprompts:\n";
  for (const auto& [prompt, naming] : held_out_prompts())
    text += fmt::format("  - {{prompt: \"{}\", attributes: {{{}}}}}\n", prompt, attributes_yaml(naming));
  text += "# The two prompts of a pair differ in the words for one attribute.\nswaps:\n";
  for (const WordSwap& swap : word_swaps())
    text += fmt::format("  - {{prompts: [\"{}\", \"{}\"], attribute: {}, values: [{}, {}]}}\n", swap.first, swap.second,
                        swap.attribute, swap.first_value, swap.second_value);
  return text;
}

}  // namespace atelier::pocket
