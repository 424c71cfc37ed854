#pragma once

#include <sys/ptrace.h>

#include <catch2/catch.hpp>

#include "framework/store/store.h"
#include "framework/store/verify.h"
#include "tests/framework/store/child.h"
#include "tests/support/temporary_folder.h"

namespace atelier::tests {

enum class End { killed, finished, untraceable };

/// Does `work` in a process that dies (SIGKILL) between its n-th system call and the next one.
inline End killed_after(int calls, const std::function<void()>& work) {
  Child child([&] {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 2;
    ::raise(SIGSTOP);
    work();
    return 0;
  });
  int status = 0;
  ::waitpid(child.pid(), &status, 0);
  if (!WIFSTOPPED(status)) return child.release(), End::untraceable;
  for (int i = 0; i < 2 * calls; ++i) {  // it stops before and behind each
    ::ptrace(PTRACE_SYSCALL, child.pid(), nullptr, nullptr);
    ::waitpid(child.pid(), &status, 0);
    if (!WIFSTOPPED(status)) return child.release(), End::finished;
  }
  child.kill();
  child.wait();
  return End::killed;
}

/// Kills `work` between any two of its system calls, each time in a store of its own, until the end is reached.
/// Whatever bears a published name must be whole each time, and `check` hold.
inline void kill_everywhere(const std::function<void(const Store&)>& prepare,
                            const std::function<void(const std::filesystem::path&)>& work,
                            const std::function<void(const Store&)>& check) {
  int kills = 0;
  for (End end = End::killed; end == End::killed; ++kills) {
    const TemporaryFolder folder;
    prepare(Store::create_or_open(folder / "store"));
    end = killed_after(kills, [&] { work(folder / "store"); });
    if (end == End::untraceable) {
      WARN("this machine lets no process trace its child");
      return;
    }
    const auto store = Store::create_or_open(folder / "store");
    CAPTURE(kills);
    for (const auto& damage : verify(store)) FAIL(damage.place << ": " << damage.found);
    check(store);
  }
  CHECK(kills > 20);
}

}  // namespace atelier::tests
