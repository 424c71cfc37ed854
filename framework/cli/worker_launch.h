#pragma once

#include <filesystem>

#include "framework/core/json.h"

namespace atelier::cli {

/// `atelier-worker` beside the running executable, or what the environment variable ATELIER_WORKER names.
[[nodiscard]] std::filesystem::path worker_path();

/// Replaces this process by `atelier-worker --job /proc/self/fd/N`, N an unnamed file in memory that holds `job`:
/// signals, the terminal and the exit code are then the worker's. Throws Error when it cannot be started, and a usage
/// Error when the job holds text that is not UTF-8.
[[noreturn]] void launch_worker(const Json& job);

}  // namespace atelier::cli
