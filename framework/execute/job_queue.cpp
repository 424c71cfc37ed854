#include "framework/execute/job_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "framework/core/error.h"

namespace atelier {

JobQueue::JobQueue(std::vector<QueuedJob> jobs) {
  for (auto& job : jobs) {
    waiting_.insert(job.id);
    jobs_.emplace(job.id, std::move(job));
  }
  check();
}

void JobQueue::check() const {
  std::set<std::int64_t> reachable;
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& [id, job] : jobs_) {
      const auto known = [&](std::int64_t need) { return reachable.contains(need); };
      if (!reachable.contains(id) && std::ranges::all_of(job.needs, known)) grew = reachable.insert(id).second;
    }
  }
  if (reachable.size() == jobs_.size()) return;
  const auto stuck = std::ranges::find_if(jobs_, [&](const auto& item) { return !reachable.contains(item.first); });
  throw Error({.where = fmt::format("job {}", stuck->first),
               .found = "needs that are not in the plan, or go round in a circle",
               .expected = "an order in which every job comes after those that it needs"});
}

bool JobQueue::ready(const QueuedJob& job) const {
  return std::ranges::all_of(job.needs, [&](std::int64_t need) { return done_.contains(need); });
}

/// Of the ready jobs that are not put off.
const QueuedJob* JobQueue::best(const std::string& base, const std::set<std::int64_t>& put_off) const {
  const QueuedJob* best = nullptr;
  // Of the jobs that go on with a cell the latest in the plan, of those that begin one the first.
  const auto rank = [&base](const QueuedJob& job) {
    const bool goes_on = !job.needs.empty();
    return std::tuple(job.base == base, goes_on, goes_on ? job.id : -job.id);
  };
  for (const std::int64_t id : waiting_) {
    const QueuedJob& job = jobs_.at(id);
    if (put_off.contains(id) || !ready(job)) continue;
    if (best == nullptr || rank(*best) < rank(job)) best = &job;
  }
  return best;
}

std::optional<std::int64_t> JobQueue::take(const std::string& base, const Elsewhere& elsewhere) {
  const QueuedJob* const first = best(base, {});
  const QueuedJob* chosen = first;
  std::set<std::int64_t> put_off;
  while (elsewhere && chosen != nullptr && elsewhere(chosen->id)) {
    put_off.insert(chosen->id);
    chosen = best(base, put_off);
  }
  if (chosen == nullptr) chosen = first;  // nothing else to do: its worker waits for the other process
  if (chosen == nullptr) return std::nullopt;
  waiting_.erase(chosen->id);
  return chosen->id;
}

void JobQueue::done(std::int64_t id) { done_.insert(id); }

void JobQueue::failed(std::int64_t id) {
  std::set<std::int64_t> lost{id};
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& [other, job] : jobs_) {
      const bool needs_lost = std::ranges::any_of(job.needs, [&](std::int64_t need) { return lost.contains(need); });
      if (needs_lost && lost.insert(other).second) grew = true;
    }
  }
  lost.erase(id);
  waiting_.erase(id);
  for (const std::int64_t other : lost) {
    if (waiting_.erase(other) > 0) blocked_.insert(other);
  }
}

}  // namespace atelier
