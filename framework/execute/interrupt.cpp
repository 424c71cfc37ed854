#include "framework/execute/interrupt.h"

#include <poll.h>

#include <ctime>
#include <vector>

namespace atelier {
namespace {

volatile std::sig_atomic_t signalled = 0;

void remember(int) { signalled = 1; }

}  // namespace

InterruptGuard::InterruptGuard() {
  signalled = 0;
  sigset_t blocked;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGINT);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &outer_);
  struct sigaction action {};
  action.sa_handler = remember;
  ::sigaction(SIGINT, &action, &interrupt_);
  ::sigaction(SIGTERM, &action, &terminate_);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &interrupt_, nullptr);
  ::sigaction(SIGTERM, &terminate_, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &outer_, nullptr);
}

bool InterruptGuard::requested() const { return signalled != 0; }

bool InterruptGuard::wait(std::span<const int> descriptors, int milliseconds) const {
  std::vector<pollfd> entries;
  for (const int descriptor : descriptors) entries.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
  const timespec limit{.tv_sec = milliseconds / 1000, .tv_nsec = (milliseconds % 1000) * 1'000'000L};
  return ::ppoll(entries.data(), entries.size(), &limit, &outer_) > 0;
}

}  // namespace atelier
