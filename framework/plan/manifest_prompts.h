#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/plan/manifest_builder.h"

namespace atelier {

/// A prompt of a protocol: "<list>/<number>", its template and what it is for.
struct PromptPlace {
  std::string id, text, role;
  std::optional<std::string> edit, score_text;  ///< for the text rules edit and verbatim, where the list has them
  bool keeps_appearance = true;

  /// What its pictures are compared with under the rule, before `{}` is filled; none: the list does not say.
  [[nodiscard]] std::optional<std::string> scored(const std::string& rule) const;
};

/// Whether a protocol's pictures show the class word instead of the concept (`phrase: class`).
[[nodiscard]] bool shows_class(const Json& pictures);
/// Whether a protocol, with its `scoring`, compares with the base model's pictures (`against: base`).
[[nodiscard]] bool compares_with_base(const Json& protocol);

/// The prompts of the lists of a protocol's `pictures`, in their order. A list with a `kind` is for concepts of this
/// kind: live, or object for all others. Those that show the class have ids of their own, "class/<list>/<number>".
[[nodiscard]] std::vector<PromptPlace> prompts_of(const PromptCatalog& catalog, const Json& pictures,
                                                  const std::string& kind);

/// The output with this key; the end where there is none.
[[nodiscard]] Json::iterator output_of(Json& outputs, const std::string& key);

/// Evaluations share pictures, and scores where they ask for the same: an output names all that it serves.
void serve(Json& output, const std::string& evaluation);

/// The pictures of a prompt, of which `key` is the key. `text`: what they are compared with.
void add_set(PlannedPictures& pictures, const PromptPlace& place, const std::string& text, const std::string& key);

}  // namespace atelier
