#pragma once

#include <exception>
#include <string>

#include "framework/core/error.h"
#include "framework/core/json.h"

namespace atelier::worker {

/// What a job was at when it failed: a fault of the setting up is one of what was asked for, a fault of the work one of
/// the method.
enum class JobPhase { setting_up, working };

/// A failure as the scheduler needs it. Classes: configuration (never tried again), method (nor this), resource (memory
/// or disk), node (elsewhere it may work), interrupted (goes on later).
struct JobFailure {
  std::string kind;
  Fault fault;
  std::string text;  ///< one line

  [[nodiscard]] Json json() const;  ///< {where, found, expected, advice, text}
};

[[nodiscard]] JobFailure classify(const std::exception_ptr& failure, JobPhase phase);

}  // namespace atelier::worker
