#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/store_option.h"
#include "framework/store/queries.h"

namespace atelier::cli {
namespace {

struct StatusOptions {
  std::string study, store;
  bool json = false;
};

Json json_of(const StatusCounts& counts) {
  return {{"done", counts.done}, {"failed", counts.failed}, {"pending", counts.pending}};
}

std::string state_of(const StatusCounts& counts) {
  if (counts.failed > 0) return "failed";
  return counts.pending > 0 ? "pending" : "done";
}

int print_studies(Index& index, bool json) {
  Json all = Json::array();
  for (const StudyInfo& study : studies(index)) {
    if (json) {
      all.push_back({{"study", study.study},
                     {"manifest", study.manifest},
                     {"at", study.at},
                     {"runs", study.runs},
                     {"jobs", json_of(study.jobs)}});
    } else {
      fmt::print("{:<24} {:>5} runs  jobs: {} done, {} failed, {} pending  {}\n", study.study, study.runs,
                 study.jobs.done, study.jobs.failed, study.jobs.pending, study.at);
    }
  }
  if (json) fmt::print("{}", pretty_json(all));
  return 0;
}

Json json_of(const RunInfo& run) {
  return {{"run", run.run},
          {"label", run.label},
          {"method", run.method},
          {"concept", run.concept_name},
          {"preset", run.preset},
          {"seed", run.seed ? Json(*run.seed) : Json()},
          {"checkpoint", run.checkpoint ? Json(*run.checkpoint) : Json()},
          {"state", state_of(run.jobs)},
          {"jobs", json_of(run.jobs)}};
}

Json json_of(const FailureInfo& failure) {
  return {{"class", failure.failure_class}, {"kind", failure.kind}, {"job", failure.job},
          {"error", failure.error},         {"runs", failure.runs}, {"at", failure.at}};
}

void print_run(const RunInfo& run) {
  const std::string step = run.checkpoint ? fmt::format(" @ step {}", *run.checkpoint) : "";
  fmt::print("{}  {:<8} {:<36} {:<16} seed {:<4} {}/{} jobs\n", run.run, state_of(run.jobs), run.label + step,
             run.concept_name, run.seed ? std::to_string(*run.seed) : "-", run.jobs.done,
             run.jobs.done + run.jobs.failed + run.jobs.pending);
}

void print_failures(const std::vector<FailureInfo>& failures) {
  std::string last;
  for (const FailureInfo& failure : failures) {
    if (failure.failure_class != last) fmt::print("\nfailed ({}):\n", failure.failure_class);
    last = failure.failure_class;
    fmt::print("  {} of {} run(s), e.g. {}: {}\n", failure.kind, failure.runs.size(),
               failure.runs.empty() ? "-" : failure.runs.front(), failure.error);
  }
}

int print_study(Index& index, const StatusOptions& options) {
  const std::string manifest = current_manifest(index, options.study);
  const auto counts = status_of_manifest(index, manifest);
  const auto runs = runs_of(index, manifest);
  const auto failures = failures_of(index, manifest);
  if (options.json) {
    Json out{{"study", options.study},  {"manifest", manifest},  {"state", state_of(counts)},
             {"jobs", json_of(counts)}, {"runs", Json::array()}, {"failures", Json::array()}};
    for (const auto& run : runs) out["runs"].push_back(json_of(run));
    for (const auto& failure : failures) out["failures"].push_back(json_of(failure));
    fmt::print("{}", pretty_json(out));
    return 0;
  }
  fmt::print("{}: {} runs; jobs: {} done, {} failed, {} pending\n", options.study, runs.size(), counts.done,
             counts.failed, counts.pending);
  for (const auto& run : runs) print_run(run);
  print_failures(failures);
  return 0;
}

}  // namespace

void add_status(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("status", "What is done, pending and failed: of all studies, or of one");
  const auto options = std::make_shared<StatusOptions>();
  app->add_option("study", options->study, "the study's name")->type_name("STUDY");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "as JSON");
  app->callback([options, &action] {
    action = [options] {
      const auto index = open_index(open_store(options->store));
      return options->study.empty() ? print_studies(*index, options->json) : print_study(*index, *options);
    };
  });
}

}  // namespace atelier::cli
