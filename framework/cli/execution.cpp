#include "framework/cli/execution.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/failure_summary.h"
#include "framework/cli/live_observer.h"
#include "framework/cli/release_observer.h"
#include "framework/cli/run_observer.h"
#include "framework/cli/store_option.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/error.h"
#include "framework/execute/execute.h"
#include "framework/execute/failure.h"
#include "framework/plan/estimate.h"
#include "framework/store/queries.h"
#include "framework/store/spool.h"

namespace atelier::cli {
namespace {

/// manifests/<digest>.json, and a line in our spool that the study used it. Returns the digest.
std::string record_manifest(const Json& manifest, const Store& store) {
  const std::string digest = store.put_manifest(manifest);
  Spool(store).write({{"type", "manifest"}, {"study", manifest.at("study")}, {"manifest", digest}}, true);
  return digest;
}

/// Jobs whose last attempt, by whichever study, failed for good. An index that cannot be written (a full disk) is no
/// reason to do nothing: then all are tried.
std::vector<FailureInfo> failed_for_good(const Store& store, const std::string& manifest) try {
  const auto index = open_index(store);
  auto failures = failures_of(*index, manifest);
  std::erase_if(failures, [](const FailureInfo& each) { return tried_by_later_calls(each.failure_class); });
  return failures;
} catch (const Error& error) {
  fmt::print(stderr, "atelier: {}\n", error.what());
  return {};
}

FailureInfo info_of(const JobFailure& failure) {
  return {.failure_class = failure.failure,
          .error = failure.text,
          .attempt = {},
          .at = {},
          .kind = failure.kind,
          .job = failure.job,
          .runs = failure.runs};
}

void print_end(const std::string& study, const ExecuteResult& result) {
  if (result.done == 0 && result.failures.empty() && result.failed_before == 0 && !result.interrupted) {
    fmt::print("{}: nothing to do, all {} jobs are in the store\n", study, result.skipped);
    return;
  }
  std::string text = fmt::format("{}: {} jobs done, {} were there already, {} failed, {} blocked", study, result.done,
                                 result.skipped, result.failures.size(), result.blocked);
  if (result.failed_before > 0) {
    text += fmt::format(", {} failed before and were not tried (--retry failed tries them)", result.failed_before);
  }
  fmt::print("{}{}\n", text, result.interrupted ? "; interrupted, call again to go on" : "");
}

void print_stop(const ExecuteResult& result) {
  if (result.stopped.empty()) return;
  fmt::print(stderr,
             "stopped: {}\n  nothing more was started; repair it and call again, or go on regardless with "
             "--stop-after 0\n",
             result.stopped);
}

}  // namespace

int execute_manifest(const Json& manifest, const Store& store, const ExecutionSettings& settings) {
  const std::string digest = record_manifest(manifest, store);
  std::vector<FailureInfo> failures;
  if (!settings.retry_failed) failures = failed_for_good(store, digest);
  ExecuteOptions options{.slots = manifest.at("placement").at("slots").get<std::size_t>(),
                         .stop_after = settings.stop_after};
  for (const auto& failure : failures) options.failed_before.insert(failure.job);
  RunObserver observer(settings.json, options.slots > 1);
  LiveObserver live(store, manifest, digest, observer);
  ReleaseObserver keeping(store, manifest, digest, live);
  keeping.release_scored();
  const ExecuteResult result = execute(manifest, store, worker_path(), keeping, options);
  const std::string study = manifest.at("study").get<std::string>();
  if (settings.json) {
    fmt::print("{}\n", Json{{"event", "end"},
                            {"study", study},
                            {"done", result.done},
                            {"cached", result.skipped},
                            {"failed", result.failures.size()},
                            {"failed_before", result.failed_before},
                            {"blocked", result.blocked},
                            {"released_bytes", keeping.released()},
                            {"stopped", result.stopped.empty() ? Json() : Json(result.stopped)},
                            {"interrupted", result.interrupted}}
                           .dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    print_end(study, result);
    if (keeping.released() > 0) {
      fmt::print("keep {}: {} of what was scored were removed\n", manifest.value("keep", ""),
                 bytes_text(static_cast<double>(keeping.released())));
    }
    for (const auto& failure : result.failures) failures.push_back(info_of(failure));
    print_failure_summary(stderr, failures);  // with `json` each was an event
    print_stop(result);
  }
  if (result.interrupted) return 3;
  return result.failures.empty() && result.failed_before == 0 && result.stopped.empty() ? 0 : 1;
}

}  // namespace atelier::cli
