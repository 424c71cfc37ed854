#include "framework/worker/job_run.h"

#include <fmt/format.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/tensor/devices.h"
#include "framework/worker/stop.h"

namespace atelier::worker {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;
constexpr auto kBetweenProgress = 100ms;
constexpr auto kBetweenTries = 50ms;  // of a lock that somebody else holds

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// Tells builds of this program apart in the records.
const std::string& build_id() {
  static const std::string id = sha256_file("/proc/self/exe").substr(0, 16);
  return id;
}

Error interrupted() {
  return Error({.where = "atelier-worker", .found = "asked to stop", .expected = {}, .advice = "run it again to go on"},
               ErrorKind::interrupted);
}

}  // namespace

struct JobRun::Clock {
  SteadyClock::time_point start = SteadyClock::now();
  SteadyClock::time_point reported = {};
};

JobOutput JobOutput::from(const Json& entry) {
  const Job fields(entry);
  const Json* description = fields.find("description");
  if (description == nullptr) {
    throw Error({.where = "job: outputs", .found = entry.dump(), .expected = "key and description"}, ErrorKind::usage);
  }
  return {.key = fields.text("key"), .description = *description, .job = entry};
}

JobRun::JobRun(const Json& json, WorkerState& state)
    : json_(json),
      job_(json_),
      id_(json.value("id", Json())),
      state_(state),
      store_(Store::create_or_open(job_.text("store"))),
      attempt_(job_.text("attempt")),
      clock_(std::make_unique<Clock>()) {
  const Json* outputs = job_.find("outputs");
  if (outputs == nullptr || !outputs->is_array() || outputs->empty()) {
    throw Error({.where = "job: outputs", .found = "nothing", .expected = "at least one"}, ErrorKind::usage);
  }
  for (const Json& entry : *outputs) outputs_.push_back(JobOutput::from(entry));
}

JobRun::~JobRun() = default;

double JobRun::seconds() const { return std::chrono::duration<double>(SteadyClock::now() - clock_->start).count(); }

void JobRun::check_stop() const {
  if (stop_requested()) throw interrupted();
}

void JobRun::claim() {
  std::vector<std::string> keys;
  for (const JobOutput& output : outputs_) keys.push_back(output.key);
  std::ranges::sort(keys);  // one order for everybody: no two workers wait for each other
  for (const std::string& key : keys) {
    auto lock = store_.lock(key, false);
    for (; !lock; lock = store_.lock(key, false)) {
      check_stop();
      std::this_thread::sleep_for(kBetweenTries);
    }
    locks_.push_back(*std::move(lock));
  }
  for (const JobOutput& output : outputs_) {
    if (again() || !store_.find(output.key) || store_.released(output.key)) missing_.push_back(output);
  }
}

std::vector<std::string> JobRun::skipped() const {
  std::vector<std::string> keys;
  for (const JobOutput& output : outputs_) {
    const auto same = [&](const JobOutput& one) { return one.key == output.key; };
    if (std::ranges::none_of(missing_, same)) keys.push_back(output.key);
  }
  return keys;
}

void JobRun::publish(const JobOutput& output, const std::string& object, const Json& summary) {
  const KeyRecord record{
      .key = output.key, .description = output.description, .object = object, .summary = summary, .divergent = {}};
  const bool agrees = store_.publish(record);
  if (!agrees) {
    const auto found = store_.find(output.key);
    const Json other = found ? Json(found->object) : Json();
    const auto text = fmt::format("key {} gave other bytes: {}", output.key, object);
    spool_->write({{"type", "divergence"},
                   {"attempt", attempt_},
                   {"level", "warning"},
                   {"key", output.key},
                   {"object", object},
                   {"other", other},
                   {"text", text}},
                  true);
  }
  if (again()) return;
  spool_->write({{"type", "published"},
                 {"attempt", attempt_},
                 {"key", output.key},
                 {"object", object},
                 {"kind", job_.text("job")}},
                true);
  state_.events.write({{"event", "published"}, {"job", id_}, {"key", output.key}, {"object", object}});
}

bool JobRun::progress_due(std::int64_t done, std::int64_t total) const {
  return done >= total || SteadyClock::now() - clock_->reported >= kBetweenProgress;
}

void JobRun::progress(std::int64_t done, std::int64_t total, const char* what, std::optional<double> loss) {
  if (!progress_due(done, total)) return;
  clock_->reported = SteadyClock::now();
  Json event{{"event", "progress"}, {"job", id_}, {"done", done}, {"total", total}, {"what", what}};
  if (loss) event["loss"] = *loss;
  state_.events.write(event);
}

void JobRun::note(const char* level, const std::string& text) {
  spool_->write({{"type", "event"}, {"attempt", attempt_}, {"level", level}, {"text", text}});
}

void JobRun::record_start() {
  spool_.emplace(store_);
  Json keys = Json::array();
  for (const JobOutput& output : missing_) keys.push_back(output.key);
  spool_->write({{"type", "attempt"},
                 {"attempt", attempt_},
                 {"job_keys", keys},
                 {"kind", job_.text("job")},
                 {"host", host_name()},
                 {"pid", ::getpid()},
                 {"device", job_.optional_text("device").value_or("cpu")},
                 {"dtype", job_.optional_text("dtype").value_or("float32")},
                 {"threads", job_.optional_integer("threads").value_or(0)},
                 {"torch", TORCH_VERSION},
                 {"build", build_id()}});
}

void JobRun::record_end(const char* status, const std::optional<JobFailure>& failure) {
  if (!spool_) return;  // it failed before it began
  Json event{{"type", "attempt_end"}, {"attempt", attempt_}, {"status", status}, {"seconds", seconds()}};
  event["class"] = failure ? Json(failure->kind) : Json();
  event["error"] = failure ? failure->json() : Json();
  spool_->write(event, true);
}

KeyRecord find_input(const Store& store, const std::string& key, const std::string& what) {
  if (auto record = store.find(key)) return *std::move(record);
  throw Error({.where = fmt::format("{} {}", what, key.substr(0, 12)),
               .found = "nothing under this key in " + store.root().string(),
               .expected = "what an earlier job published",
               .advice = "run the study again: the job that makes it comes first"});
}

}  // namespace atelier::worker
