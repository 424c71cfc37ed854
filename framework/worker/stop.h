#pragma once

namespace atelier::worker {

/// Whether this process was asked to save its work and go: by SIGTERM or SIGINT, by the end of its input, or because
/// nobody reads its answers any more.
[[nodiscard]] bool stop_requested() noexcept;
/// Safe in a signal handler.
void request_stop() noexcept;
/// SIGTERM and SIGINT ask to stop (and write to `wake`, a descriptor that somebody polls); SIGPIPE is ignored.
void stop_on_signals(int wake);
/// Whether it was a signal.
[[nodiscard]] bool stopped_by_signal() noexcept;

}  // namespace atelier::worker
