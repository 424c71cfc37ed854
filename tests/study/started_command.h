#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

/// The command `atelier`, started with these arguments in a process group of its own, and not waited for; what it says
/// is dropped. While it lives, it and its workers die with this object.
class StartedCommand {
 public:
  /// Throws std::runtime_error when it cannot be started.
  explicit StartedCommand(std::vector<std::string> arguments);
  ~StartedCommand();
  StartedCommand(const StartedCommand&) = delete;
  StartedCommand& operator=(const StartedCommand&) = delete;

  /// Processes that it has started and that live, in the order of their ids: its workers.
  [[nodiscard]] std::vector<pid_t> children() const;
  /// Without warning: the command alone, which its workers notice.
  void kill() const;
  /// Without warning: the command and its workers.
  void kill_all() const;
  /// Until it ends or the time is over. True when it has ended.
  [[nodiscard]] bool ended_within(std::chrono::microseconds time);
  /// Its exit status, 128 + the signal when it was killed; waits for it.
  int wait();

 private:
  pid_t pid_ = -1;
  int status_ = -1;
  bool ended_ = false;
};
