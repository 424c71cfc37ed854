#pragma once

#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/index.h"

namespace atelier::cli {

/// What works on a study now: [{"host", "pid", "workers", "begun", "total", "jobs": [{"job", "kind", "title", "what",
/// "done", "total", "rate", "loss", "seconds_left"}]}]. `manifest` empty: on any.
[[nodiscard]] Json live_work(const Store& store, const std::string& manifest);

/// The same as lines.
void print_live_work(const Json& work);

/// What is left of a study, by what its jobs took so far: {"seconds_left", "unmeasured_jobs"}, seconds of the clock
/// with the workers that it has; null where nothing is left.
[[nodiscard]] Json time_left(const Store& store, Index& index, const std::string& manifest, const Json& work);

}  // namespace atelier::cli
