#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier::cli {

/// `run --executor slurm`: submits what is missing and says so; the tasks go on without this process. `profile`: the
/// file, or "" for slurm.yaml in the user's configuration folder. Returns the exit code.
[[nodiscard]] int submit_manifest(const Json& manifest, const Store& store, const std::string& profile, bool json);

/// Lines for `status` about the tasks of a study (of all where the name is empty), by one question to the queue; none
/// when nothing was submitted. Why it
/// cannot be asked is a line too.
[[nodiscard]] std::vector<std::string> slurm_lines(const Store& store, const std::string& study);

}  // namespace atelier::cli
