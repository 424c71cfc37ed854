#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "framework/core/progress.h"
#include "framework/execute/execute.h"

namespace atelier::cli {

/// What `run` and `train` show while they work: one bar a job on a terminal, plain lines otherwise and where `several`
/// jobs are done at a time (a line when one begins and one when it ends); with `json` one object an event on standard
/// output.
class RunObserver final : public ExecuteObserver {
 public:
  RunObserver(bool json, bool several) : json_(json), several_(several) {}

  void started(const Json& job, std::size_t number, std::size_t total) override;
  void progressed(const Json& job, const Json& event) override;
  void finished(const Json& job, const Json& event) override;
  void failed(const JobFailure& failure) override;
  void retried(const JobFailure& failure) override;

 private:
  void tell(const char* event, const JobFailure& failure, const char* more);
  [[nodiscard]] std::string take_title(std::int64_t job);
  void print(const char* event, const Json& job, Json more) const;

  bool json_, several_;
  std::map<std::int64_t, std::string> titles_;  // of the jobs that run
  std::unique_ptr<Progress> progress_;
  std::size_t done_ = 0;
};

/// "train textreg/ut, dog, seed 0": what a job does, for people.
[[nodiscard]] std::string job_title(const Json& job);

}  // namespace atelier::cli
