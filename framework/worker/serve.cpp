#include "framework/worker/serve.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/error.h"
#include "framework/tensor/devices.h"
#include "framework/worker/job_lines.h"
#include "framework/worker/stop.h"

namespace atelier::worker {
namespace {

constexpr int kInterrupted = 3;

const ServeHandler& handler_of(const std::map<std::string, ServeHandler>& handlers, const Job& job) {
  const auto found = handlers.find(job.text("job"));
  if (found != handlers.end()) return found->second;
  throw Error({.where = "job",
               .found = job.text("job"),
               .expected = "train, merge, generate, sample, given, mask or score",
               .advice = "atelier and atelier-worker are of different versions; build both"},
              ErrorKind::usage);
}

void report_finished(JobRun& run, EventSink& events) {
  events.write({{"event", "finished"}, {"job", run.id()}, {"seconds", run.seconds()}, {"skipped", run.skipped()}});
}

void do_missing(JobRun& run, const ServeHandler& handler) {
  run.check_stop();
  run.record_start();
  set_threads(run.job().optional_integer("threads"));
  handler(run);
  run.record_end("done", {});
}

/// Says in the spool how the attempt ended; a disk that is full may not hide the failure itself.
void record_failure(JobRun& run, const JobFailure& failure) {
  try {
    run.record_end(failure.kind == "interrupted" ? "interrupted" : "failed", failure);
  } catch (const Error& error) {
    fmt::print(stderr, "atelier-worker: {}\n", error.what());
  }
}

/// Does one job. Returns false when it was interrupted.
bool do_job(const std::string& line, const std::map<std::string, ServeHandler>& handlers, WorkerState& state) {
  Json json;
  std::optional<JobRun> run;
  try {
    json = parse_json(line, "worker: a job");
    state.events.write({{"event", "started"}, {"job", json.is_object() ? json.value("id", Json()) : Json()}});
    const ServeHandler& handler = handler_of(handlers, Job(json));
    run.emplace(json, state);
    run->claim();
    if (!run->missing().empty()) do_missing(*run, handler);
    report_finished(*run, state.events);
    return true;
  } catch (...) {
    const auto failure = classify(std::current_exception(), run ? run->phase() : JobPhase::setting_up);
    if (run) record_failure(*run, failure);
    state.events.write({{"event", "failed"},
                        {"job", json.is_object() ? json.value("id", Json()) : Json()},
                        {"class", failure.kind},
                        {"error", failure.json()}});
    return failure.kind != "interrupted";
  }
}

}  // namespace

int serve(const std::map<std::string, ServeHandler>& handlers) {
  EventSink events = EventSink::take_standard_output();
  JobLines lines(STDIN_FILENO);
  WorkerState state{.events = events};
  events.write({{"event", "ready"}});
  while (const auto line = lines.next()) {
    if (!do_job(*line, handlers, state)) return kInterrupted;
  }
  return stopped_by_signal() || lines.waiting() > 0 ? kInterrupted : 0;
}

}  // namespace atelier::worker
