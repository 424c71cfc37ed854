#pragma once

#include <sys/types.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "framework/core/file_descriptor.h"
#include "framework/core/json.h"

/// An `atelier-worker --serve` at the other end of two pipes.
class WorkerClient {
 public:
  WorkerClient();
  ~WorkerClient();
  WorkerClient(const WorkerClient&) = delete;
  WorkerClient& operator=(const WorkerClient&) = delete;

  void send(const atelier::Json& job) const;
  void send_line(const std::string& line) const;
  /// The next event, in whatever time it takes; null at the end.
  [[nodiscard]] atelier::Json next();
  /// Sends a job and collects its events up to `finished` or `failed`, or the end of the worker.
  [[nodiscard]] std::vector<atelier::Json> run(const atelier::Json& job);
  /// Sends a job and reads events until one says that `steps` are done.
  void run_until(const atelier::Json& job, std::int64_t steps);

  void signal(int number) const;
  void close_input() { input_.reset(); }
  /// The exit code, or 128 + signal.
  [[nodiscard]] int wait();

 private:
  atelier::FileDescriptor input_, output_;
  pid_t process_ = -1;
  std::string buffer_;
};

/// Runs `atelier-worker --job FILE`; returns the exit code.
[[nodiscard]] int run_worker_job(const std::string& file);
