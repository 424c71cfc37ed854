#pragma once

#include <csignal>
#include <span>

namespace atelier {

/// While it lives, SIGINT and SIGTERM are remembered instead of ending the process, and are let in only during wait():
/// a signal is never missed between a look at requested() and the wait. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  [[nodiscard]] bool requested() const;
  /// Until one of the descriptors is readable (or at its end), a signal comes, or the time is over. True when readable.
  [[nodiscard]] bool wait(std::span<const int> descriptors, int milliseconds) const;
  /// The signals as they were before: for child processes.
  [[nodiscard]] const sigset_t& outer_mask() const { return outer_; }

 private:
  sigset_t outer_ = {};
  struct sigaction interrupt_ = {}, terminate_ = {};
};

}  // namespace atelier
