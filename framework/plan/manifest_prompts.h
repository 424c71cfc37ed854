#pragma once

#include <string>
#include <vector>

#include "framework/plan/manifest_builder.h"

namespace atelier {

/// A prompt of a protocol: "<list>/<number>", its template and what it is for.
struct PromptPlace {
  std::string id, text, role;
};

/// The prompts of a protocol's lists, in their order. A list with a `kind` is for concepts of this kind: live, or
/// object for all others.
[[nodiscard]] std::vector<PromptPlace> prompts_of(const PromptCatalog& catalog, const Json& lists,
                                                  const std::string& kind);

/// The output with this key; the end where there is none.
[[nodiscard]] Json::iterator output_of(Json& outputs, const std::string& key);

/// Evaluations share pictures, and scores where they ask for the same: an output names all that it serves.
void serve(Json& output, const std::string& evaluation);

/// The pictures of a prompt, of which `key` is the key.
void add_set(PlannedPictures& pictures, const PromptPlace& place, const std::string& key);

}  // namespace atelier
