#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
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
  std::size_t blocked = 0;  ///< jobs that need one that failed
  bool interrupted = false;
};

/// Sees what happens, as it happens.
class ExecuteObserver {
 public:
  virtual ~ExecuteObserver() = default;
  virtual void started(const Json& job, std::size_t number, std::size_t total) = 0;
  virtual void progressed(const Json& job, const Json& event) = 0;
  virtual void finished(const Json& job, const Json& event) = 0;
  virtual void failed(const JobFailure& failure) = 0;
};

/// Does what a manifest's jobs ask for that is not in the store yet, `slots` of them at a time, each slot in a worker
/// process that keeps the base model. A failed job fails the runs that need it and no others; a worker that dies fails
/// the job it was at and is started anew. Other processes may work at the same store, at the same jobs too: what one
/// publishes the others do not do again; while one is at a job the others do others first. SIGINT and SIGTERM let the
/// workers save their trainings and end the call with `interrupted`. Results do not depend on the number of slots.
/// Holds the store's lock of use from before it looks what is there to its end, so that `gc` removes nothing meanwhile.
/// `worker`: the program atelier-worker. Throws Error when no worker can be started at all.
[[nodiscard]] ExecuteResult execute(const Json& manifest, const Store& store, const std::filesystem::path& worker,
                                    ExecuteObserver& observer, std::size_t slots = 1);

/// Whether everything that a job makes is in the store.
[[nodiscard]] bool is_done(const Json& job, const Store& store);

}  // namespace atelier
