#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/core/json.h"
#include "framework/store/index.h"

namespace atelier {

/// What the jobs that are still to be done will take, by what jobs like them took in this store.
struct Estimate {
  double seconds = 0.0;        ///< of work, all workers together
  std::int64_t bytes = 0;      ///< on the store's disk: the most at a time that `keep:` leaves there
  std::size_t jobs = 0;        ///< to be done
  std::size_t unmeasured = 0;  ///< of these: nothing like them was done here, and they are not counted
};

/// Jobs are alike that are of one kind, method and stage; trainings by their steps, pictures by their number. What is
/// done is left out.
[[nodiscard]] Estimate estimate(const Json& manifest, const Store& store, Index& index);

/// Throws Error (usage) when more is to be made than is free at `place`.
void check_fits(const Estimate& estimate, std::uintmax_t free_bytes, const std::string& place);

/// "45 s", "12 min", "3.5 h"
[[nodiscard]] std::string duration_text(double seconds);
/// "17 kB", "3.2 GB"
[[nodiscard]] std::string bytes_text(double bytes);

}  // namespace atelier
