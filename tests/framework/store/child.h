#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

namespace atelier::tests {

/// A forked process that does `work` and ends with what it returns (99 for an exception), without destructors of the
/// test program. Assertions belong into the parent.
class Child {
 public:
  explicit Child(const std::function<int()>& work) : pid_(::fork()) {
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) ::_exit(result_of(work));
  }
  ~Child() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), wait();
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void kill() const { ::kill(pid_, SIGKILL); }
  /// Somebody else waited for it.
  void release() { pid_ = -1; }
  /// The exit code; 128 + n after signal n.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  static int result_of(const std::function<int()>& work) {
    try {
      return work();
    } catch (...) {
      return 99;
    }
  }
  pid_t pid_;
};

/// A gate at which processes wait for each other: `pass` returns in the child once the parent called `open`.
class Gate {
 public:
  Gate() {
    if (::pipe(ends_) != 0) throw std::runtime_error("pipe failed");
  }
  ~Gate() {
    ::close(ends_[0]);
    if (ends_[1] >= 0) ::close(ends_[1]);
  }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  void pass() {
    open();  // this process's own end, or it would wait for itself
    char byte = 0;
    static_cast<void>(::read(ends_[0], &byte, 1));
  }
  void open() { ::close(std::exchange(ends_[1], -1)); }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace atelier::tests
