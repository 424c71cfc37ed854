#pragma once

#include <cstddef>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier::cli {

struct ExecutionSettings {
  bool json = false;
  bool retry_failed = false;   ///< also what failed for good before
  std::size_t stop_after = 5;  ///< see ExecuteOptions
};

/// Stores the manifest, does what is missing, and says what happened. Returns the exit code: 0 done, 1 something
/// failed (now or before), 3 interrupted.
[[nodiscard]] int execute_manifest(const Json& manifest, const Store& store, const ExecutionSettings& settings);

}  // namespace atelier::cli
