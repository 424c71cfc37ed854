#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include "framework/execute/execute.h"
#include "framework/store/live.h"

namespace atelier::cli {

/// Passes everything on to another observer, and keeps the store's live file: the jobs that run, how far they are and
/// how fast.
class LiveObserver final : public ExecuteObserver {
 public:
  /// `next` is borrowed.
  LiveObserver(const Store& store, const Json& manifest, const std::string& digest, ExecuteObserver& next);

  void started(const Json& job, std::size_t number, std::size_t total) override;
  void progressed(const Json& job, const Json& event) override;
  void finished(const Json& job, const Json& event) override;
  void failed(const JobFailure& failure) override;
  void retried(const JobFailure& failure) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Running {
    Json state;
    Clock::time_point since;      // the first progress
    std::int64_t done_then = -1;  // what was done by then
  };

  void ended(std::int64_t job);
  void write();

  ExecuteObserver& next_;
  const LiveFile file_;
  Json state_;
  std::map<std::int64_t, Running> running_;
  Clock::time_point written_;
};

}  // namespace atelier::cli
