#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "framework/core/file_descriptor.h"

namespace atelier::worker {

/// Lines of an input, read by a thread of its own, so that the end of the input is noticed in the middle of a job: it
/// asks to stop (stop.h), and so do the signals, which it has sent to itself.
class JobLines {
 public:
  /// Borrows the descriptor.
  explicit JobLines(int input);
  ~JobLines();
  JobLines(const JobLines&) = delete;
  JobLines& operator=(const JobLines&) = delete;

  /// Waits. Nullopt when there will be none: the input has ended or a stop was asked for. Lines that came before the
  /// end and were not taken are left, see waiting().
  [[nodiscard]] std::optional<std::string> next();
  [[nodiscard]] std::size_t waiting() const;

 private:
  void read();
  [[nodiscard]] bool take_bytes();
  void close();

  int input_;
  FileDescriptor wake_read_, wake_write_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // guarded by mutex_
  bool ended_ = false;             // guarded by mutex_
  std::string partial_;            // of the reading thread
  std::thread reader_;             // last: it uses all others
};

}  // namespace atelier::worker
