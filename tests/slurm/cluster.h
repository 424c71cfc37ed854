#pragma once

#include <functional>
#include <string>

#include "tests/support/temporary_folder.h"

/// Two nodes and a controller as processes of ours; SLURM_CONF points at them. One at a time.
class Cluster {
 public:
  /// The only one of this program, started by the first call. Null where Slurm is not installed, which is said once.
  static Cluster* find();
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// What a command of Slurm's says. Throws std::runtime_error when it fails.
  std::string ask(const std::string& command) const;
  /// Slurm waits two minutes before it starts again what came back: not here.
  void start_waiting_tasks() const;
  /// What an administrator does: its tasks are queued again, and it gets no others until it is resumed.
  void set_down(const std::string& node) const;
  void resume(const std::string& node) const;
  /// The time limit of a task, "8_3". Slurm looks at the limits once in 30 seconds, so it takes so long at most.
  void end_in_a_second(const std::string& task) const;
  /// No task runs nor waits.
  [[nodiscard]] bool idle() const;
  /// As soon as all tasks are done, those that come back included.
  [[nodiscard]] bool wait_for_all() const;

 private:
  Cluster();
  TemporaryFolder folder_;
};

/// Within two minutes.
[[nodiscard]] bool comes_true(const std::function<bool()>& condition);
