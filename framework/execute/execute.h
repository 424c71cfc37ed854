#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/store.h"

namespace atelier {

/// One job that could not be done.
struct JobFailure {
  std::int64_t job = 0;
  std::string kind;     ///< train, sample, score
  std::string failure;  ///< class: configuration, method, resource, node
  std::string text;     ///< one line: where, what was found, what was expected, what to do
  std::vector<std::string> runs;
};

struct ExecuteResult {
  std::size_t done = 0;     ///< jobs that did something
  std::size_t skipped = 0;  ///< jobs whose results were there already
  std::vector<JobFailure> failures;
  std::size_t blocked = 0;        ///< jobs that need one that failed
  std::size_t failed_before = 0;  ///< jobs that an earlier call failed at and this one did not try
  std::string stopped;            ///< why nothing more was started, in a sentence; empty: everything was
  bool interrupted = false;
};

struct ExecuteOptions {
  std::size_t slots = 1;       ///< jobs at a time
  std::size_t stop_after = 0;  ///< jobs that fail alike, none of their kind being done between: then
                               ///< nothing more is started; 0: never
  std::optional<std::set<std::int64_t>> again = {};  ///< these jobs alone, though their results are there: they are
                                                     ///< made once more and compared
  std::set<std::int64_t> failed_before = {};         ///< jobs that are not tried
};

/// Sees what happens, as it happens.
class ExecuteObserver {
 public:
  virtual ~ExecuteObserver() = default;
  virtual void started(const Json& job, std::size_t number, std::size_t total) = 0;
  virtual void progressed(const Json& job, const Json& event) = 0;
  virtual void finished(const Json& job, const Json& event) = 0;
  virtual void failed(const JobFailure& failure) = 0;
  /// It failed, and is given to a new worker.
  virtual void retried(const JobFailure&) {}
};

/// Does what a manifest's jobs ask for that is not in the store yet, `slots` of them at a time, each slot in a worker
/// process that keeps the base model. A failed job is tried again where that may help (failure.h); then it fails the
/// runs that need it and no others. A worker that dies fails the job it was at and is started anew. Other processes may
/// work at the same store, at the same jobs too: what one publishes the others do not do again; while one is at a job
/// the others do others first. SIGINT and SIGTERM let the workers save their trainings and end the call with
/// `interrupted`. Results do not depend on the number of slots.
/// Holds the store's lock of use from before it looks what is there to its end, so that `gc` removes nothing meanwhile.
/// `worker`: the program atelier-worker. Throws Error when no worker can be started at all.
[[nodiscard]] ExecuteResult execute(const Json& manifest, const Store& store, const std::filesystem::path& worker,
                                    ExecuteObserver& observer, const ExecuteOptions& options = {});

/// Whether everything that a job makes was published. (Whether a later job needs an object that was released,
/// work_to_do() says.)
[[nodiscard]] bool is_done(const Json& job, const Store& store);

}  // namespace atelier
