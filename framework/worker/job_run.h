#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/store/spool.h"
#include "framework/store/store.h"
#include "framework/worker/base_cache.h"
#include "framework/worker/event_sink.h"
#include "framework/worker/job.h"
#include "framework/worker/job_failure.h"

namespace atelier::worker {

/// One thing that a job makes: what its key leads to.
struct JobOutput {
  std::string key;
  Json description;
  Json job;  ///< the whole entry, with what the kind of job needs besides

  [[nodiscard]] static JobOutput from(const Json& entry);
};

/// What a serving worker keeps between its jobs.
struct WorkerState {
  EventSink& events;
  BaseCache bases = {};
};

/// A job of a serving worker while it is done: its store, its keys, what it reports. Made by serve().
class JobRun {
 public:
  JobRun(const Json& json, WorkerState& state);
  ~JobRun();

  [[nodiscard]] const Job& job() const { return job_; }
  [[nodiscard]] const Store& store() const { return store_; }
  [[nodiscard]] const Json& id() const { return id_; }
  /// What is there already is made once more, and compared: nothing of it is continued from a snapshot.
  [[nodiscard]] bool again() const { return job_.flag("again"); }
  [[nodiscard]] JobPhase phase() const { return phase_; }
  /// From now on a failure is the method's, not the configuration's.
  void begin_work() { phase_ = JobPhase::working; }

  /// Waits for the locks of all keys, then keeps in missing() what nobody has published meanwhile (all, with again()).
  /// Throws Error (interrupted) when a stop is asked for while waiting.
  void claim();
  [[nodiscard]] const std::vector<JobOutput>& outputs() const { return outputs_; }
  [[nodiscard]] const std::vector<JobOutput>& missing() const { return missing_; }
  [[nodiscard]] std::vector<std::string> skipped() const;

  /// The base model of the job, shared with earlier and later jobs.
  [[nodiscard]] std::shared_ptr<const Base> base() { return state_.bases.get(job_); }
  /// Publishes an object under the output's key; first wins, another content is recorded.
  void publish(const JobOutput& output, const std::string& object, const Json& summary);
  /// Whether progress() would say something now: at most about ten times a second, and at the end.
  [[nodiscard]] bool progress_due(std::int64_t done, std::int64_t total) const;
  /// {"event":"progress"}, when it is due.
  void progress(std::int64_t done, std::int64_t total, const char* what, std::optional<double> loss = {});
  /// A remark for the log of the attempt.
  void note(const char* level, const std::string& text);
  /// Throws Error (interrupted) when a stop was asked for.
  void check_stop() const;

  /// Into the spool: the beginning and the end of this attempt.
  void record_start();
  void record_end(const char* status, const std::optional<JobFailure>& failure);
  [[nodiscard]] double seconds() const;

 private:
  struct Clock;

  const Json& json_;
  Job job_;
  Json id_;
  WorkerState& state_;
  Store store_;
  std::optional<Spool> spool_;
  std::string attempt_;
  JobPhase phase_ = JobPhase::setting_up;
  std::vector<JobOutput> outputs_, missing_;
  std::vector<KeyLock> locks_;
  std::unique_ptr<Clock> clock_;
};

/// The object that a key leads to. Throws Error when the key is not in the store.
[[nodiscard]] KeyRecord find_input(const Store& store, const std::string& key, const std::string& what);

}  // namespace atelier::worker
