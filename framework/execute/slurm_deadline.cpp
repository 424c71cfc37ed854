#include "framework/execute/slurm_deadline.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace atelier {
namespace {

constexpr std::chrono::milliseconds kBetweenSignals{1000};

sigset_t only_usr2() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR2);
  return set;
}

}  // namespace

SlurmDeadline::SlurmDeadline(std::chrono::seconds limit) {
  ::signal(SIGTERM, SIG_IGN);
  const sigset_t usr2 = only_usr2();  // taken by the watching thread alone; workers inherit the block and never see it
  ::pthread_sigmask(SIG_BLOCK, &usr2, nullptr);
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this, end = std::chrono::steady_clock::now() + limit] { watch(end); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

SlurmDeadline::~SlurmDeadline() {
  over_ = true;
  ::pthread_kill(thread_.native_handle(), SIGUSR2);
  thread_.join();
}

void SlurmDeadline::watch(std::chrono::steady_clock::time_point end) {
  const sigset_t usr2 = only_usr2();
  while (!over_) {
    const auto left = end - std::chrono::steady_clock::now();
    const auto wait =
        std::clamp(std::chrono::duration_cast<std::chrono::milliseconds>(left), kBetweenSignals / 100, kBetweenSignals);
    const timespec time{.tv_sec = wait.count() / 1000, .tv_nsec = wait.count() % 1000 * 1'000'000};
    const bool signalled = ::sigtimedwait(&usr2, nullptr, &time) == SIGUSR2;
    if (over_) return;
    if (signalled || std::chrono::steady_clock::now() >= end) {
      passed_ = true;
      end = std::chrono::steady_clock::now() + kBetweenSignals;
      ::kill(::getpid(), SIGTERM);
    }
  }
}

}  // namespace atelier
