#include "framework/cli/execution.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "framework/cli/run_observer.h"
#include "framework/cli/worker_launch.h"
#include "framework/execute/execute.h"
#include "framework/store/spool.h"

namespace atelier::cli {
namespace {

/// manifests/<digest>.json, and a line in our spool that the study used it.
void record_manifest(const Json& manifest, const Store& store) {
  const std::string digest = store.put_manifest(manifest);
  Spool(store).write({{"type", "manifest"}, {"study", manifest.at("study")}, {"manifest", digest}}, true);
}

void print_failures(const ExecuteResult& result) {
  std::map<std::string, std::vector<const JobFailure*>> classes;
  for (const JobFailure& failure : result.failures) classes[failure.failure].push_back(&failure);
  for (const auto& [name, failures] : classes) {
    const JobFailure& first = *failures.front();
    fmt::print(stderr, "failed ({}): {} job(s), e.g. {} of run {}: {}\n", name, failures.size(), first.kind,
               first.runs.empty() ? "-" : first.runs.front(), first.text);
    if (!first.runs.empty()) fmt::print(stderr, "  more: atelier logs {}\n", first.runs.front());
  }
}

}  // namespace

int execute_manifest(const Json& manifest, const Store& store, bool json) {
  record_manifest(manifest, store);
  const auto slots = manifest.at("placement").at("slots").get<std::size_t>();
  RunObserver observer(json, slots > 1);
  const ExecuteResult result = execute(manifest, store, worker_path(), observer, slots);
  const std::string study = manifest.at("study").get<std::string>();
  if (json) {
    fmt::print("{}\n", Json{{"event", "end"},
                            {"study", study},
                            {"done", result.done},
                            {"cached", result.skipped},
                            {"failed", result.failures.size()},
                            {"blocked", result.blocked},
                            {"interrupted", result.interrupted}}
                           .dump());
  } else if (result.done == 0 && result.failures.empty() && !result.interrupted) {
    fmt::print("{}: nothing to do, all {} jobs are in the store\n", study, result.skipped);
  } else {
    fmt::print("{}: {} jobs done, {} were there already, {} failed, {} blocked{}\n", study, result.done, result.skipped,
               result.failures.size(), result.blocked, result.interrupted ? "; interrupted, call again to go on" : "");
  }
  if (!json) print_failures(result);  // else each was an event
  if (result.interrupted) return 3;
  return result.failures.empty() ? 0 : 1;
}

}  // namespace atelier::cli
