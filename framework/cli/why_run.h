#pragma once

#include <string>

#include "framework/core/json.h"
#include "framework/store/index.h"

namespace atelier::cli {

/// What is there of a run, and why the rest is to be made: {"run", "label", "concept", "seed", "stages": [{"place",
/// "key", "state": "made" | "failed" | "to do", "error", "nearest", "changes": [{"what", "path", "before", "after",
/// "through", "text"}]}]}. A stage that is not there is compared with the thing in the store that is most like it.
/// `only`: the stage with this key alone; empty: all.
[[nodiscard]] Json run_reasons(const Store& store, Index& index, const Json& manifest, const std::string& run,
                               const std::string& only = {});

/// The same as lines; stages with one reason share them.
void print_reasons(const Json& reasons);

}  // namespace atelier::cli
