#pragma once

#include <string>
#include <vector>

#include "experiments/pocket/world/random.h"
#include "experiments/pocket/world/scene.h"

namespace atelier::pocket {

/// Three captions of a scene: one that names all, one with class, colour and place, a short one. What is named is so;
/// what the first two leave out is the usual: a photo, plain, nothing worn. A few short ones name no subject. Objects
/// of two hues have words for class, place, style and what they wear alone.
[[nodiscard]] std::vector<std::string> captions_of(const Scene& scene, Random& random);

/// What a prompt names. Empty: not named.
struct Naming {
  std::string_view colour, texture, kind, place, style, accessory;
};
/// The plainest wording: "a photo of a striped red cat wearing a hat on the beach".
[[nodiscard]] std::string prompt_of(const Naming& naming);

/// "a cat", "an orange cat": a noun with its article.
[[nodiscard]] std::string subject_of(std::string_view noun);

/// Every word that captions and prompts can hold, sorted.
[[nodiscard]] std::vector<std::string> world_words();

}  // namespace atelier::pocket
