#pragma once

#include <string>

#include "framework/store/queries.h"

namespace atelier::cli {

/// A run of the study that used it last.
struct FoundRun {
  std::string study, manifest;
  RunInfo info;
};

/// The run whose id begins with `id`. Throws Error (usage) when there is none, or several with different ids.
[[nodiscard]] FoundRun find_run(Index& index, const std::string& id);

}  // namespace atelier::cli
