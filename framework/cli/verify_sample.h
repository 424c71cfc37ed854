#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/index.h"

namespace atelier::cli {

/// What came of doing some jobs once more.
struct SampledCheck {
  std::size_t jobs = 0, all = 0;            ///< done again; that could have been
  std::vector<std::string> differing = {};  ///< keys that gave other bytes; both are in the store now
  std::vector<std::string> failed = {};     ///< "train of run …: why" for jobs that could not be done
  bool interrupted = false;
};

/// "2%" -> 0.02. Throws Error (usage) for anything but a share above 0 and up to 100 %.
[[nodiscard]] double parse_share(const std::string& text);

/// Does a share of the store's finished jobs (trainings, pictures, scores) once more, in workers, and compares bytes.
/// The same share and seed choose the same jobs, whatever their order; at least one is chosen. What differs is kept
/// beside the first content, recorded as an event, and marked in tables.
[[nodiscard]] SampledCheck verify_sample(const Store& store, Index& index, double share, std::int64_t seed, bool json);

}  // namespace atelier::cli
