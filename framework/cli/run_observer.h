#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "framework/core/progress.h"
#include "framework/execute/execute.h"

namespace atelier::cli {

/// What `run` and `train` show while they work: one bar a job on a terminal, plain lines otherwise; with `json` one
/// object an event on standard output.
class RunObserver final : public ExecuteObserver {
 public:
  explicit RunObserver(bool json) : json_(json) {}

  void started(const Json& job, std::size_t number, std::size_t total) override;
  void progressed(const Json& job, const Json& event) override;
  void finished(const Json& job, const Json& event) override;
  void failed(const JobFailure& failure) override;

 private:
  void print(const char* event, const Json& job, Json more) const;

  bool json_;
  std::string title_;
  std::unique_ptr<Progress> progress_;
  std::size_t done_ = 0;
};

/// "train textreg/ut, dog, seed 0": what a job does, for people.
[[nodiscard]] std::string job_title(const Json& job);

}  // namespace atelier::cli
