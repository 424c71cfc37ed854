#pragma once

namespace atelier::worker {

/// Seconds since the kernel started this process (execve keeps that time, so the command's own part is in it).
[[nodiscard]] double seconds_since_process_start();

}  // namespace atelier::worker
