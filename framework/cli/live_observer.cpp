#include "framework/cli/live_observer.h"

#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "framework/cli/run_observer.h"

namespace atelier::cli {
namespace {

using namespace std::chrono_literals;
constexpr auto kBetweenWrites = 1s;

std::string this_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

}  // namespace

LiveObserver::LiveObserver(const Store& store, const Json& manifest, const std::string& digest, ExecuteObserver& next)
    : next_(next),
      file_(store),
      state_{{"study", manifest.at("study")},
             {"manifest", digest},
             {"host", this_host()},
             {"pid", ::getpid()},
             {"workers", manifest.at("placement").at("slots")}} {
  write();
}

void LiveObserver::write() {
  state_["jobs"] = Json::array();
  for (const auto& [unused, running] : running_) state_["jobs"].push_back(running.state);
  file_.write(state_);
  written_ = Clock::now();
}

void LiveObserver::started(const Json& job, std::size_t number, std::size_t total) {
  state_["begun"] = number;
  state_["total"] = total;
  running_[job.at("id").get<std::int64_t>()].state = {
      {"job", job.at("id")}, {"kind", job.at("kind")}, {"title", job_title(job)}, {"runs", job.at("runs")}};
  write();
  next_.started(job, number, total);
}

void LiveObserver::progressed(const Json& job, const Json& event) {
  Running& running = running_[job.at("id").get<std::int64_t>()];
  const auto done = event.value("done", std::int64_t{0});
  const auto now = Clock::now();
  if (running.done_then < 0) {
    running.done_then = done;
    running.since = now;
  }
  for (const char* name : {"what", "done", "total", "loss"}) {
    if (event.contains(name)) running.state[name] = event.at(name);
  }
  const double seconds = std::chrono::duration<double>(now - running.since).count();
  if (done > running.done_then && seconds > 0.0)
    running.state["rate"] = static_cast<double>(done - running.done_then) / seconds;
  if (now - written_ >= kBetweenWrites) write();
  next_.progressed(job, event);
}

void LiveObserver::ended(std::int64_t job) {
  running_.erase(job);
  write();
}

void LiveObserver::finished(const Json& job, const Json& event) {
  ended(job.at("id").get<std::int64_t>());
  next_.finished(job, event);
}

void LiveObserver::failed(const JobFailure& failure) {
  ended(failure.job);
  next_.failed(failure);
}

void LiveObserver::retried(const JobFailure& failure) {
  ended(failure.job);
  next_.retried(failure);
}

}  // namespace atelier::cli
