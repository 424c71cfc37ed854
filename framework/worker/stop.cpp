#include "framework/worker/stop.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

namespace atelier::worker {
namespace {

// A signal handler can reach nothing but globals.
std::atomic<bool> stop{false};
std::atomic<bool> signalled{false};
std::atomic<int> wake_descriptor{-1};

void on_signal(int) {
  const int before = errno;
  stop = true;
  signalled = true;
  const char byte = 0;
  if (wake_descriptor >= 0 && ::write(wake_descriptor, &byte, 1) < 0) errno = before;  // a full pipe wakes as well
  errno = before;
}

}  // namespace

bool stop_requested() noexcept { return stop; }
void request_stop() noexcept { stop = true; }
bool stopped_by_signal() noexcept { return signalled; }

void stop_on_signals(int wake) {
  wake_descriptor = wake;
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGTERM, SIGINT}) ::sigaction(number, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace atelier::worker
