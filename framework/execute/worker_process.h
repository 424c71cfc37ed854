#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "framework/core/file_descriptor.h"
#include "framework/core/json.h"
#include "framework/execute/interrupt.h"

namespace atelier {

/// How a worker ended.
struct WorkerEnd {
  int status = 0;    ///< exit code, or 128 + signal
  std::string text;  ///< "killed by signal 9 (Killed)"
};

/// One `atelier-worker --serve`: takes a job a line, answers with an event a line. It notices the end of its input, so
/// it stops when we do, however we end.
class WorkerProcess {
 public:
  /// Throws Error when it cannot be started. `log` receives its standard error.
  WorkerProcess(const std::filesystem::path& program, const InterruptGuard& guard);
  /// Ends the input, waits a while, then kills.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  /// False when the worker is gone.
  [[nodiscard]] bool send(const Json& job);
  /// The next event; nullopt when none came within the time, or the worker is gone (see ended()). A line that is not
  /// JSON is an Error: this worker is of another version.
  [[nodiscard]] std::optional<Json> next_event(const InterruptGuard& guard, int milliseconds);
  [[nodiscard]] bool at_end() const { return at_end_; }
  /// Readable when next_event() has something to look at.
  [[nodiscard]] int descriptor() const { return output_.get(); }
  /// No more jobs: the worker saves what it is doing and goes.
  void close_input() { input_.reset(); }
  [[nodiscard]] WorkerEnd wait();

 private:
  [[nodiscard]] std::optional<Json> take_line();

  FileDescriptor input_, output_;
  pid_t process_ = -1;
  std::string buffer_;
  bool at_end_ = false;
};

}  // namespace atelier
