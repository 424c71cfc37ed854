#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/failure_summary.h"
#include "framework/cli/live_lines.h"
#include "framework/cli/slurm.h"
#include "framework/cli/store_option.h"
#include "framework/core/text.h"
#include "framework/plan/estimate.h"
#include "framework/store/queries.h"
#include "reports/study_tables.h"
#include "reports/table.h"

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

/// Of the lines about all studies those about one, without its name.
Json lines_about(const std::string& study, const std::vector<std::string>& lines) {
  Json own = Json::array();
  for (const auto& line : lines) {
    if (line.starts_with(study + ": ")) own.push_back(line.substr(study.size() + 2));
    if (line.starts_with("slurm: ")) own.push_back(line);  // it could not be asked
  }
  return own;
}

int print_studies(const Store& store, Index& index, bool json) {
  Json all = Json::array();
  const auto lines = json ? slurm_lines(store, "") : std::vector<std::string>();
  for (const StudyInfo& study : studies(index)) {
    if (json) {
      all.push_back({{"study", study.study},
                     {"manifest", study.manifest},
                     {"at", study.at},
                     {"runs", study.runs},
                     {"jobs", json_of(study.jobs)},
                     {"live", live_work(store, study.manifest)},
                     {"slurm", lines_about(study.study, lines)}});
    } else {
      fmt::print("{:<24} {:>5} runs  jobs: {} done, {} failed, {} pending  {}\n", study.study, study.runs,
                 study.jobs.done, study.jobs.failed, study.jobs.pending, study.at);
    }
  }
  if (json) {
    fmt::print("{}", pretty_json(all));
  } else {
    print_live_work(live_work(store, ""));
  }
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

/// What a finished study is for.
void print_result(Index& index, const std::string& manifest) {
  const auto names = reports::table_names(index, manifest);
  auto request = reports::study_request(index, manifest, names.empty() ? "" : names.front());
  fmt::print("\n{}", reports::to_markdown(reports::make_table(index, manifest, request)));
  if (names.size() > 1) fmt::print("\nmore tables: atelier table --table {}\n", join(names, ", "));
}

int print_study(const Store& store, Index& index, const StatusOptions& options) {
  const std::string manifest = current_manifest(index, options.study);
  const auto counts = status_of_manifest(index, manifest);
  const auto runs = runs_of(index, manifest);
  const auto failures = failures_of(index, manifest);
  const Json work = live_work(store, manifest);
  const Json left = time_left(store, index, manifest, work);
  if (options.json) {
    Json out{{"study", options.study},  {"manifest", manifest},  {"state", state_of(counts)},
             {"jobs", json_of(counts)}, {"runs", Json::array()}, {"failures", Json::array()}};
    for (const auto& run : runs) out["runs"].push_back(json_of(run));
    for (const auto& failure : failures) out["failures"].push_back(json_of(failure));
    out["causes"] = failure_summary(failures);
    out["live"] = work;
    out["left"] = left;
    out["slurm"] = slurm_lines(store, options.study);
    fmt::print("{}", pretty_json(out));
    return 0;
  }
  fmt::print("{}: {} runs; jobs: {} done, {} failed, {} pending\n", options.study, runs.size(), counts.done,
             counts.failed, counts.pending);
  print_live_work(work);
  if (!left.is_null()) {
    const auto unmeasured = left.at("unmeasured_jobs").get<std::size_t>();
    fmt::print(
        "about {} left{}\n", duration_text(left.at("seconds_left").get<double>()),
        unmeasured == 0 ? "" : fmt::format(", without {} jobs of which none like them was done yet", unmeasured));
  }
  for (const auto& run : runs) print_run(run);
  if (!failures.empty()) fmt::print("\n");
  print_failure_summary(stdout, failures);
  const bool scored =
      !runs.empty() && !index.query("SELECT 1 FROM stage_evaluation WHERE manifest = ? LIMIT 1", {manifest}).empty();
  if (left.is_null() && scored) print_result(index, manifest);
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
      const Store store = open_store(options->store);
      const auto index = open_index(store);
      const int status =
          options->study.empty() ? print_studies(store, *index, options->json) : print_study(store, *index, *options);
      if (options->json) return status;
      for (const auto& line : slurm_lines(store, options->study)) fmt::print("{}\n", line);
      return status;
    };
  });
}

}  // namespace atelier::cli
