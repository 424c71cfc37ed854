#include "framework/execute/execute.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/error.h"
#include "framework/execute/failure.h"
#include "framework/execute/interrupt.h"
#include "framework/execute/job_queue.h"
#include "framework/execute/worker_process.h"
#include "framework/plan/remaining.h"
#include "framework/store/manifest_parts.h"
#include "framework/store/spool.h"

namespace atelier {
namespace {

constexpr int kTick = 500;  // ms between looks at the interrupt flag

std::vector<QueuedJob> queue_of(const Json& manifest, const WorkToDo& work) {
  std::vector<QueuedJob> queue;
  for (const auto& [id, unused] : work) {
    const Json& job = manifest.at("jobs").at(static_cast<std::size_t>(id));
    QueuedJob entry{.id = id, .base = job.value("base", ""), .needs = {}};
    for (const Json& need : job.at("needs")) {
      if (work.contains(need.get<std::int64_t>())) entry.needs.push_back(need.get<std::int64_t>());
    }
    queue.push_back(std::move(entry));
  }
  return queue;
}

/// Jobs that are done once more: what they need is there.
std::vector<QueuedJob> queue_again(const Json& manifest, const std::set<std::int64_t>& jobs) {
  std::vector<QueuedJob> queue;
  for (const std::int64_t id : jobs) {
    const Json& job = manifest.at("jobs").at(static_cast<std::size_t>(id));
    queue.push_back({.id = id, .base = job.value("base", ""), .needs = {}});
  }
  return queue;
}

std::string error_text(const Json& event) {
  const auto found = event.find("error");
  if (found == event.end() || !found->is_object()) return "no reason given";
  return found->value("text", "no reason given");
}

/// A place for one job at a time, with the worker that stays there.
struct Slot {
  std::unique_ptr<WorkerProcess> worker;
  std::optional<Json> job;  ///< with all its members in their place; none: idle
  std::string attempt;
  std::string base;  ///< that the worker holds
};

class Execution {
 public:
  Execution(const Json& manifest, const Store& store, const std::filesystem::path& program,
            const ExecuteOptions& options, ExecuteObserver& observer)
      : manifest_(manifest),
        store_(store),
        program_(program),
        options_(options),
        observer_(observer),
        spool_(store),
        work_(options.again ? WorkToDo() : work_to_do(manifest, store)),
        queue_(options.again ? queue_again(manifest, *options.again) : queue_of(manifest, work_)),
        slots_(std::max<std::size_t>(options.slots, 1)) {
    if (!options.again) result_.skipped = manifest.at("jobs").size() - work_.size();
    skip_failed_before();
    total_ = queue_.waiting();
  }

  ExecuteResult run();

 private:
  [[nodiscard]] bool stopping() const { return guard_.requested() || result_.interrupted; }
  void skip_failed_before();
  /// Gives ready jobs to idle slots. False when no slot works.
  bool fill_slots();
  void fill(Slot& slot);
  [[nodiscard]] const Json& job_of(std::int64_t id) const {
    return manifest_.at("jobs").at(static_cast<std::size_t>(id));
  }
  [[nodiscard]] bool elsewhere(std::int64_t id) const;
  /// Whether something of the job is still to be made.
  [[nodiscard]] bool open(std::int64_t id) const;
  /// The job as its worker is told, without what was released and nobody needs.
  [[nodiscard]] Json whole_work(std::int64_t id) const;
  void start(Slot& slot, std::int64_t id);
  void wait_for_events();
  /// Handles what the slot's worker has said.
  void follow(Slot& slot);
  void handle(Slot& slot, const Json& event);
  void record_failure(Slot& slot, const Json& job, std::string failure, std::string text);
  /// After so many jobs that fail alike nothing more is started.
  void count_alike(const JobFailure& failure);
  void stop(std::string why);
  void worker_died(Slot& slot);
  void record_death(const std::string& death, const Json& job, const std::string& text);

  const Json& manifest_;
  const Store& store_;
  const std::filesystem::path& program_;
  const ExecuteOptions& options_;
  ExecuteObserver& observer_;
  InterruptGuard guard_;
  Spool spool_;
  ExecuteResult result_;
  WorkToDo work_;  // empty with `again`
  JobQueue queue_;
  std::size_t total_ = 0, number_ = 0, attempts_ = 0;
  std::map<std::int64_t, int> tries_;                                // that failed, by job
  std::map<std::string, std::map<std::string, std::size_t>> alike_;  // kind of job -> fingerprint -> failed jobs
  std::vector<Slot> slots_;
};

void Execution::skip_failed_before() {
  for (const std::int64_t id : options_.failed_before) {
    if (!queue_.holds(id)) continue;
    queue_.failed(id);
    ++result_.failed_before;
  }
}

ExecuteResult Execution::run() {
  while (fill_slots()) {
    wait_for_events();
    for (Slot& slot : slots_) {
      if (slot.job) follow(slot);
    }
  }
  if (guard_.requested()) result_.interrupted = true;
  for (Slot& slot : slots_) {  // all of them save at the same time
    if (slot.worker) slot.worker->close_input();
  }
  slots_.clear();
  result_.blocked = queue_.blocked().size();
  return result_;
}

bool Execution::fill_slots() {
  bool busy = false;
  for (Slot& slot : slots_) {
    if (!slot.job && !stopping() && result_.stopped.empty()) fill(slot);
    busy = busy || slot.job;
  }
  return busy;
}

/// Passes over what other processes at this store have published since the plan was looked at.
void Execution::fill(Slot& slot) {
  while (const auto id = queue_.take(slot.base, [this](std::int64_t job) { return elsewhere(job); })) {
    if (options_.again || open(*id)) return start(slot, *id);
    ++result_.skipped;
    --total_;
    queue_.done(*id);
  }
}

/// Whether another process holds the lock of a key that the job would publish. It may let go a moment later, and take
/// one a moment later: this only orders the work; the worker's own lock decides.
bool Execution::elsewhere(std::int64_t id) const {
  return std::ranges::any_of(job_of(id).at("outputs"), [&](const Json& output) {
    return !store_.lock(output.at("key").get_ref<const std::string&>(), false);
  });
}

bool Execution::open(std::int64_t id) const {
  const Json& outputs = job_of(id).at("outputs");
  return std::ranges::any_of(work_.at(id), [&](std::size_t k) {
    const auto& key = outputs[k].at("key").get_ref<const std::string&>();
    return !store_.has(key) || store_.released(key);
  });
}

Json Execution::whole_work(std::int64_t id) const {
  Json job = whole_job(manifest_, job_of(id));
  if (options_.again) return job;
  const auto& work = work_.at(id);
  Json outputs = Json::array();
  for (std::size_t k = 0; k < job.at("outputs").size(); ++k) {
    Json& output = job["outputs"][k];
    const bool wanted = std::ranges::count(work, k) > 0;
    if (wanted || !store_.released(output.at("key").get_ref<const std::string&>()))
      outputs.push_back(std::move(output));
  }
  job["outputs"] = std::move(outputs);
  return job;
}

void Execution::start(Slot& slot, std::int64_t id) {
  slot.job = whole_work(id);
  const Json& job = *slot.job;
  slot.base = job.value("base", "");
  slot.attempt = fmt::format("{}-{}", spool_.name(), ++attempts_);
  if (!tries_.contains(id)) ++number_;
  observer_.started(job, number_, total_);
  Json line = job.at("job");
  line["job"] = job.at("kind");
  line["id"] = job.at("id");
  line["outputs"] = job.at("outputs");
  line["store"] = store_.root().string();
  line["attempt"] = slot.attempt;
  if (options_.again) line["again"] = true;
  if (slot.worker && slot.worker->send(line)) return;
  slot.worker = std::make_unique<WorkerProcess>(program_, guard_);
  (void)slot.worker->send(line);  // a worker that died at once is noticed by its end
}

void Execution::wait_for_events() {
  std::vector<int> descriptors;
  for (Slot& slot : slots_) {
    if (!slot.job) continue;
    if (stopping()) slot.worker->close_input();
    descriptors.push_back(slot.worker->descriptor());
  }
  (void)guard_.wait(descriptors, kTick);
}

void Execution::follow(Slot& slot) {
  while (slot.job) {
    const auto event = slot.worker->next_event(guard_, 0);
    if (event) {
      handle(slot, *event);
    } else if (slot.worker->at_end()) {
      worker_died(slot);
    } else {
      return;
    }
  }
}

/// An event that ends the job leaves the slot idle.
void Execution::handle(Slot& slot, const Json& event) {
  const Json& job = *slot.job;
  const std::string kind = event.value("event", "");
  if (kind == "progress") observer_.progressed(job, event);
  if (kind == "finished") {
    ++result_.done;
    queue_.done(job.at("id").get<std::int64_t>());
    alike_.erase(job.at("kind").get<std::string>());
    observer_.finished(job, event);
    slot.job.reset();
  }
  if (kind != "failed") return;
  const std::string failure = event.value("class", "method");
  if (failure == "interrupted") {
    result_.interrupted = true;
  } else {
    record_failure(slot, job, failure, error_text(event));
  }
  slot.job.reset();
}

void Execution::record_failure(Slot& slot, const Json& job, std::string failure, std::string text) {
  JobFailure entry{.job = job.at("id").get<std::int64_t>(),
                   .kind = job.at("kind").get<std::string>(),
                   .failure = std::move(failure),
                   .text = std::move(text),
                   .runs = job.at("runs").get<std::vector<std::string>>()};
  if (tries_[entry.job]++ < retries_of(entry.failure, entry.text)) {
    slot.worker.reset();  // with all that it holds
    slot.base.clear();
    queue_.again(entry.job);
    observer_.retried(entry);
    return;
  }
  queue_.failed(entry.job);
  observer_.failed(entry);
  count_alike(entry);
  if (stops_everything(entry.failure, entry.text)) stop(entry.text);
  result_.failures.push_back(std::move(entry));
}

void Execution::count_alike(const JobFailure& failure) {
  const auto count = ++alike_[failure.kind][failure_fingerprint(failure.failure, failure.kind, failure.text)];
  if (options_.stop_after == 0 || count < options_.stop_after) return;
  stop(fmt::format("{} {} jobs failed alike ({}): {}", count, failure.kind, failure.failure, failure.text));
}

void Execution::stop(std::string why) {
  if (result_.stopped.empty()) result_.stopped = std::move(why);
}

void Execution::worker_died(Slot& slot) {
  const Json job = *std::move(slot.job);
  const WorkerEnd end = slot.worker->wait();
  slot.worker.reset();
  slot.job.reset();
  if (guard_.requested()) {
    result_.interrupted = true;
    return;
  }
  const std::string text =
      fmt::format("atelier-worker: {}; expected an answer to the job; see its last lines above", end.text);
  record_failure(slot, job, "node", text);
  record_death(slot.attempt + "-died", job, text);
}

/// The worker may have died before its own record of the attempt: this one stands beside it. A disk that is full must
/// not end the study: its other jobs say so themselves.
void Execution::record_death(const std::string& death, const Json& job, const std::string& text) try {
  Json keys = Json::array();
  for (const Json& output : job.at("outputs")) keys.push_back(output.at("key"));
  spool_.write(
      {{"type", "attempt"}, {"attempt", death}, {"job_keys", keys}, {"kind", job.at("kind")}, {"pid", ::getpid()}});
  spool_.write({{"type", "attempt_end"},
                {"attempt", death},
                {"status", "failed"},
                {"class", "node"},
                {"seconds", 0.0},
                {"error", text}},
               true);
} catch (const Error& error) {
  fmt::print(stderr, "atelier: {}\n", error.what());
}

}  // namespace

bool is_done(const Json& job, const Store& store) {
  return std::ranges::all_of(
      job.at("outputs"), [&](const Json& output) { return store.has(output.at("key").get_ref<const std::string&>()); });
}

ExecuteResult execute(const Json& manifest, const Store& store, const std::filesystem::path& worker,
                      ExecuteObserver& observer, const ExecuteOptions& options) {
  const auto use = store.lock_for_use();  // what counts as done now must be there at the end
  return Execution(manifest, store, worker, options, observer).run();
}

}  // namespace atelier
