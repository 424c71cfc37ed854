#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace atelier {

/// A job as the order of work sees it.
struct QueuedJob {
  std::int64_t id = 0;
  std::string base;                 ///< base model: jobs of one base are done one after the other where possible
  std::vector<std::int64_t> needs;  ///< jobs that have to be done before
};

/// The order of work. Of the jobs that are ready: those of the base that the slot holds, and among them the one whose
/// cell is furthest (the latest in the plan whose needs are done), so that cells finish early.
class JobQueue {
 public:
  /// Throws Error when needs are unknown or go round in a circle.
  explicit JobQueue(std::vector<QueuedJob> jobs);

  /// The next ready job for a slot that holds `base`, or nullopt when none is ready now. It counts as running until
  /// done() or failed(). Jobs of which `elsewhere` says that another process is at them come after all others.
  using Elsewhere = std::function<bool(std::int64_t id)>;
  [[nodiscard]] std::optional<std::int64_t> take(const std::string& base, const Elsewhere& elsewhere = {});
  void done(std::int64_t id);
  /// Gives back a job that runs: it is ready once more.
  void again(std::int64_t id) { waiting_.insert(id); }
  /// It runs or waits. Everything that needs this job, directly or not, is blocked.
  void failed(std::int64_t id);
  [[nodiscard]] const std::set<std::int64_t>& blocked() const { return blocked_; }
  /// Whether the job is among those that wait.
  [[nodiscard]] bool holds(std::int64_t id) const { return waiting_.contains(id); }
  /// Jobs that are neither done, nor failed, nor blocked, nor running.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  [[nodiscard]] bool ready(const QueuedJob& job) const;
  [[nodiscard]] const QueuedJob* best(const std::string& base, const std::set<std::int64_t>& put_off) const;
  void check() const;

  std::map<std::int64_t, QueuedJob> jobs_;
  std::set<std::int64_t> waiting_, done_, blocked_;
};

}  // namespace atelier
