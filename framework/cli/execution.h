#pragma once

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier::cli {

/// Stores the manifest, does what is missing, and says what happened. Returns the exit code: 0 done, 1 something
/// failed, 3 interrupted.
[[nodiscard]] int execute_manifest(const Json& manifest, const Store& store, bool json);

}  // namespace atelier::cli
