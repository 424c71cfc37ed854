#pragma once

#include "framework/core/json.h"

namespace atelier::cli {

/// How a plan becomes another: {"appear": [run], "vanish": [run], "change": [{"run", "before", "label", "concept",
/// "seed", "stages": {"same", "appear": [place], "vanish": [place], "change": [place]}, "reasons": [text]}], "same":
/// n}. A run of both plans is told by label, concept, seed and checkpoint, where its id changed.
[[nodiscard]] Json plan_difference(const Json& before, const Json& after);

/// The same as lines; runs that change for the same reasons share them.
void print_plan_difference(const Json& difference);

}  // namespace atelier::cli
