#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier {

/// Divides jobs into at most `most` slices of about equal work. Each slice holds, in the plan's order, also everything
/// its jobs need of `undone`, so that no task waits for another's: what several slices hold is still done once, by
/// whoever has the lock of its key. Jobs that hang together stay together, unless one slice would then get more than
/// its share.
///
/// `open`: ids of the jobs to give out; `undone`: ids of all jobs whose results are not in the store; open is part of
/// it.
[[nodiscard]] std::vector<std::vector<std::int64_t>> slurm_slices(const Json& manifest,
                                                                  const std::set<std::int64_t>& open,
                                                                  const std::set<std::int64_t>& undone,
                                                                  std::size_t most);

/// A manifest of these jobs alone, which execute() takes: ids count from 0, needs outside of them are gone. `plugins`:
/// the libraries to use instead of those that the manifest names.
[[nodiscard]] Json slice_manifest(const Json& manifest, const std::vector<std::int64_t>& jobs,
                                  const std::map<std::string, std::string>& plugins, std::int64_t slots);

/// Estimated work of a job in evaluations of the UNet: three a training step (forward and backward), two an image and
/// sampling step (with and without the prompt).
[[nodiscard]] double estimated_work(const Json& manifest, const Json& job);

}  // namespace atelier
