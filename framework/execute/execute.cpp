#include "framework/execute/execute.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/error.h"
#include "framework/execute/interrupt.h"
#include "framework/execute/job_queue.h"
#include "framework/execute/worker_process.h"
#include "framework/store/spool.h"

namespace atelier {
namespace {

constexpr int kTick = 500;  // ms between looks at the interrupt flag

std::vector<QueuedJob> queue_of(const Json& manifest, const Store& store, std::size_t& skipped) {
  std::vector<QueuedJob> queue;
  for (const Json& job : manifest.at("jobs")) {
    if (is_done(job, store)) {
      ++skipped;
      continue;
    }
    QueuedJob entry{.id = job.at("id").get<std::int64_t>(), .base = job.value("base", ""), .needs = {}};
    for (const Json& need : job.at("needs")) {
      const auto& needed = manifest.at("jobs").at(need.get<std::size_t>());
      if (!is_done(needed, store)) entry.needs.push_back(need.get<std::int64_t>());
    }
    queue.push_back(std::move(entry));
  }
  return queue;
}

std::string error_text(const Json& event) {
  const auto found = event.find("error");
  if (found == event.end() || !found->is_object()) return "no reason given";
  return found->value("text", "no reason given");
}

class Execution {
 public:
  Execution(const Json& manifest, const Store& store, const std::filesystem::path& program, ExecuteObserver& observer)
      : manifest_(manifest),
        store_(store),
        program_(program),
        observer_(observer),
        spool_(store),
        queue_(queue_of(manifest, store, result_.skipped)),
        total_(queue_.waiting()) {}

  ExecuteResult run();

 private:
  void do_job(const Json& job);
  /// Sends the job to a worker, a new one where there is none.
  void send(const Json& job, const std::string& attempt);
  /// Handles events until the job ends. False when the worker is gone.
  bool follow(const Json& job);
  bool handle(const Json& job, const Json& event);
  void record_failure(const Json& job, std::string failure, std::string text);
  void worker_died(const Json& job, const std::string& attempt);
  void stop_worker();

  const Json& manifest_;
  const Store& store_;
  const std::filesystem::path& program_;
  ExecuteObserver& observer_;
  InterruptGuard guard_;
  Spool spool_;
  ExecuteResult result_;
  JobQueue queue_;
  std::size_t total_, number_ = 0;
  std::unique_ptr<WorkerProcess> worker_;
};

ExecuteResult Execution::run() {
  while (!guard_.requested() && !result_.interrupted) {
    const auto id = queue_.take();
    if (!id) break;
    do_job(manifest_.at("jobs").at(static_cast<std::size_t>(*id)));
  }
  if (guard_.requested()) result_.interrupted = true;
  stop_worker();
  result_.blocked = queue_.blocked().size();
  return result_;
}

void Execution::do_job(const Json& job) {
  const std::string attempt = fmt::format("{}-{}", spool_.name(), ++number_);
  observer_.started(job, number_, total_);
  send(job, attempt);
  if (!follow(job)) worker_died(job, attempt);
}

void Execution::send(const Json& job, const std::string& attempt) {
  Json line = job.at("job");
  line["job"] = job.at("kind");
  line["id"] = job.at("id");
  line["outputs"] = job.at("outputs");
  line["store"] = store_.root().string();
  line["attempt"] = attempt;
  if (worker_ && worker_->send(line)) return;
  worker_ = std::make_unique<WorkerProcess>(program_, guard_);
  (void)worker_->send(line);  // a worker that died at once is noticed by its end
}

bool Execution::follow(const Json& job) {
  for (;;) {
    if (guard_.requested()) worker_->close_input();
    const auto event = worker_->next_event(guard_, kTick);
    if (event && handle(job, *event)) return true;
    if (!event && worker_->at_end()) return false;
  }
}

/// True when the event ends the job.
bool Execution::handle(const Json& job, const Json& event) {
  const std::string kind = event.value("event", "");
  if (kind == "progress") observer_.progressed(job, event);
  if (kind == "finished") {
    ++result_.done;
    queue_.done(job.at("id").get<std::int64_t>());
    observer_.finished(job, event);
    return true;
  }
  if (kind != "failed") return false;
  const std::string failure = event.value("class", "method");
  if (failure == "interrupted") {
    result_.interrupted = true;
  } else {
    record_failure(job, failure, error_text(event));
  }
  return true;
}

void Execution::record_failure(const Json& job, std::string failure, std::string text) {
  JobFailure entry{.job = job.at("id").get<std::int64_t>(),
                   .kind = job.at("kind").get<std::string>(),
                   .failure = std::move(failure),
                   .text = std::move(text),
                   .runs = job.at("runs").get<std::vector<std::string>>()};
  queue_.failed(entry.job);
  observer_.failed(entry);
  result_.failures.push_back(std::move(entry));
}

void Execution::worker_died(const Json& job, const std::string& attempt) {
  const WorkerEnd end = worker_->wait();
  worker_.reset();
  if (guard_.requested()) {
    result_.interrupted = true;
    return;
  }
  const std::string text =
      fmt::format("atelier-worker: {}; expected an answer to the job; see its last lines above", end.text);
  // The worker may have died before its own record of the attempt: this one stands beside it.
  Json keys = Json::array();
  for (const Json& output : job.at("outputs")) keys.push_back(output.at("key"));
  const std::string death = attempt + "-died";
  spool_.write(
      {{"type", "attempt"}, {"attempt", death}, {"job_keys", keys}, {"kind", job.at("kind")}, {"pid", ::getpid()}});
  spool_.write({{"type", "attempt_end"},
                {"attempt", death},
                {"status", "failed"},
                {"class", "node"},
                {"seconds", 0.0},
                {"error", text}},
               true);
  record_failure(job, "node", text);
}

void Execution::stop_worker() {
  if (!worker_) return;
  worker_->close_input();
  (void)worker_->wait();
  worker_.reset();
}

}  // namespace

bool is_done(const Json& job, const Store& store) {
  return std::ranges::all_of(
      job.at("outputs"), [&](const Json& output) { return store.has(output.at("key").get_ref<const std::string&>()); });
}

ExecuteResult execute(const Json& manifest, const Store& store, const std::filesystem::path& worker,
                      ExecuteObserver& observer) {
  const auto use = store.lock_for_use();  // what counts as done now must be there at the end
  return Execution(manifest, store, worker, observer).run();
}

}  // namespace atelier
