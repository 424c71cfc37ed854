#pragma once

#include <atomic>
#include <chrono>
#include <thread>

namespace atelier {

/// While it lives, the process gets SIGTERM from itself, once a second, from `limit` or a SIGUSR2 on: execute() then
/// ends as if interrupted, and passed() says why. Measured on the monotonic clock. Outside of an InterruptGuard the
/// process ignores SIGTERM meanwhile. Made before other threads and child processes are.
class SlurmDeadline {
 public:
  explicit SlurmDeadline(std::chrono::seconds limit);
  ~SlurmDeadline();
  SlurmDeadline(const SlurmDeadline&) = delete;
  SlurmDeadline& operator=(const SlurmDeadline&) = delete;

  [[nodiscard]] bool passed() const { return passed_; }

 private:
  void watch(std::chrono::steady_clock::time_point end);

  std::atomic<bool> passed_{false}, over_{false};
  std::thread thread_;
};

}  // namespace atelier
