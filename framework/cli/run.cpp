#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/execution.h"
#include "framework/cli/options.h"
#include "framework/cli/plan_diff.h"
#include "framework/cli/resolution.h"
#include "framework/cli/run_observer.h"
#include "framework/cli/slurm.h"
#include "framework/cli/store_option.h"
#include "framework/cli/study_file.h"
#include "framework/core/error.h"
#include "framework/execute/execute.h"
#include "framework/plan/estimate.h"
#include "framework/plan/manifest.h"
#include "framework/plan/remaining.h"
#include "framework/store/manifest_parts.h"

namespace atelier::cli {
namespace {

struct RunOptions {
  StudyOptions study;
  std::string other, retry, executor = "local", profile;
  std::int64_t stop_after = 5;
  bool json = false, dry_run = false, jobs = false;
};

/// "cuda:0 (device: auto), float32", "cpu, float32, 2 threads"
std::string placement_text(const Json& placement) {
  const std::string device = placement.at("device").get<std::string>(),
                    asked = placement.at("asked").get<std::string>();
  std::string text = device + (asked == device ? "" : fmt::format(" (device: {})", asked));
  text += ", " + placement.at("dtype").get<std::string>();
  if (const auto threads = placement.at("threads").get<std::int64_t>(); device == "cpu") {
    text += fmt::format(", {} thread{}", threads, threads == 1 ? "" : "s");
  }
  if (const auto slots = placement.at("slots").get<std::int64_t>(); slots > 1)
    text += fmt::format(", {} workers", slots);
  return text;
}

/// By what jobs like those to be done took in this store; nothing where none was.
void print_estimate(const Json& manifest, const Store& store) {
  const auto index = open_index(store);
  const Estimate left = estimate(manifest, store, *index);
  if (left.jobs == left.unmeasured) return;
  const auto slots =
      static_cast<double>(std::max<std::int64_t>(manifest.at("placement").at("slots").get<std::int64_t>(), 1));
  fmt::print("about {} and {} on disk, as measured here{}\n", duration_text(left.seconds / slots),
             bytes_text(static_cast<double>(left.bytes)),
             left.unmeasured == 0
                 ? ""
                 : fmt::format(", without {} jobs of which none like them was done yet", left.unmeasured));
}

void print_plan(const Json& manifest, const std::optional<Store>& store, bool with_jobs) {
  const Json counts = plan_counts(manifest, store ? &*store : nullptr);
  fmt::print("{}: {} runs, {} jobs, {} of them in the store already\n", manifest.at("study").get<std::string>(),
             counts["runs"].dump(), counts["jobs"]["total"].dump(), counts["jobs"]["cached"].dump());
  fmt::print("to do: {} training jobs ({} steps), {} sampling jobs ({} images), {} scoring jobs\n",
             counts["train"]["jobs"].dump(), counts["train"]["steps"].dump(), counts["sample"]["jobs"].dump(),
             counts["sample"]["images"].dump(), counts["score"]["jobs"].dump());
  if (const Json& drawn = counts["generate"]; drawn["jobs"] > 0) {
    fmt::print("from base models alone: {} jobs that draw images ({} images)\n", drawn["jobs"].dump(),
               drawn["images"].dump());
  }
  if (const Json& merges = counts["merge"]; merges["jobs"] > 0) {
    fmt::print("to merge: {} pairs of a subject's and a style's LoRA\n", merges["jobs"].dump());
  }
  if (const Json& masks = counts["mask"]; masks["jobs"] > 0) {
    fmt::print("to mask: {} pictures and photos in {} jobs\n", masks["images"].dump(), masks["jobs"].dump());
  }
  if (const Json& given = counts["given"]; given["jobs"] > 0) {
    fmt::print("to take into the store: {} pictures of other programs\n", given["images"].dump());
  }
  fmt::print("on {}\n", placement_text(manifest.at("placement")));
  if (store) print_estimate(manifest, *store);
  if (const Json select = manifest.value("resolved", Json::object()).value("select", Json()); !select.is_null()) {
    fmt::print("selection: {}\n", select.dump());
  }
  for (const auto& line : resolution_lines(planned_resolution(manifest, store))) fmt::print("{}\n", line);
  for (const Json& run : manifest.at("runs")) {
    fmt::print("  {}  {:<32} {:<16} seed {}{}\n", run.at("id").get<std::string>(), run.at("label").get<std::string>(),
               run.at("concept").get<std::string>(), run.at("seed").is_null() ? "-" : run.at("seed").dump(),
               run.at("checkpoint").is_null() ? "" : fmt::format("  step {}", run.at("checkpoint").dump()));
  }
  if (!with_jobs) return;
  const auto work = store ? work_to_do(manifest, *store) : WorkToDo();
  for (const Json& job : manifest.at("jobs")) {
    const bool cached = store && !work.contains(job.at("id").get<std::int64_t>());
    fmt::print("  job {:<4} {:<7} {}\n", job.at("id").dump(), cached ? "cached" : "to do",
               job_title(whole_job(manifest, job)));
  }
}

Json estimate_json(const Json& manifest, const std::optional<Store>& store) {
  if (!store) return nullptr;
  const auto index = open_index(*store);
  const Estimate left = estimate(manifest, *store, *index);
  return {{"seconds", left.seconds}, {"bytes", left.bytes}, {"jobs", left.jobs}, {"unmeasured", left.unmeasured}};
}

Json plan_json(const Json& manifest, const std::optional<Store>& store) {
  Json out{{"study", manifest.at("study")},         {"counts", plan_counts(manifest, store ? &*store : nullptr)},
           {"placement", manifest.at("placement")}, {"detectable", planned_resolution(manifest, store)},
           {"runs", manifest.at("runs")},           {"jobs", Json::array()}};
  out["estimate"] = estimate_json(manifest, store);
  const auto work = store ? work_to_do(manifest, *store) : WorkToDo();
  for (const Json& job : manifest.at("jobs")) {
    Json keys = Json::array();
    for (const Json& output : job.at("outputs")) keys.push_back(output.at("key"));
    out["jobs"].push_back({{"id", job.at("id")},
                           {"kind", job.at("kind")},
                           {"needs", job.at("needs")},
                           {"runs", job.at("runs")},
                           {"cached", store && !work.contains(job.at("id").get<std::int64_t>())},
                           {"keys", keys}});
  }
  return out;
}

/// From the study to `other`.
int print_difference(const RunOptions& options, const Json& manifest) {
  StudyOptions other = options.study;
  other.file = options.other;
  const Json difference = plan_difference(manifest, plan_study(other));
  if (options.json) {
    fmt::print("{}", pretty_json(difference));
  } else {
    print_plan_difference(difference);
  }
  return 0;
}

int plan(const RunOptions& options) {
  const Json manifest = plan_study(options.study);
  if (!options.other.empty()) return print_difference(options, manifest);
  const auto store = find_store(options.study.store);
  if (options.json) {
    fmt::print("{}", pretty_json(plan_json(manifest, store)));
  } else {
    print_plan(manifest, store, options.jobs);
  }
  return 0;
}

/// What the jobs will take; nothing is known where the index cannot be read.
Estimate estimate_or_nothing(const Json& manifest, const Store& store) try {
  const auto index = open_index(store);
  return estimate(manifest, store, *index);
} catch (const Error& error) {
  fmt::print(stderr, "atelier: {}\n", error.what());
  return {};
}

/// Nothing is started that has no room.
void check_disk(const Json& manifest, const Store& store) {
  std::error_code unknown;
  const auto space = std::filesystem::space(store.root(), unknown);
  if (!unknown) check_fits(estimate_or_nothing(manifest, store), space.available, store.root().string());
}

int run(const RunOptions& options) {
  if (options.dry_run) return plan(options);
  const Json manifest = plan_study(options.study);
  const Store store = create_store(options.study.store);
  if (options.executor == "slurm") return submit_manifest(manifest, store, options.profile, options.json);
  check_disk(manifest, store);
  return execute_manifest(manifest, store,
                          {.json = options.json,
                           .retry_failed = options.retry == "failed",
                           .stop_after = static_cast<std::size_t>(options.stop_after)});
}

}  // namespace

void add_run(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("run", "Do everything that a study asks for and that is not in the store yet");
  const auto options = std::make_shared<RunOptions>();
  add_study(*app, options->study);
  one_of(app->add_option("--executor", options->executor, "who does it: this machine, or tasks of a Slurm cluster"),
         {"local", "slurm"});
  existing_file(app->add_option("--profile", options->profile,
                                "with --executor slurm: partition, account, gres, time … (default: slurm.yaml in "
                                "~/.config/atelier)"));
  app->add_flag("--dry-run", options->dry_run, "only say what would be done, as `plan` does");
  one_of(app->add_option("--retry", options->retry, "also try again what the configuration or the method failed at"),
         {"failed"});
  whole_number(app->add_option("--stop-after", options->stop_after,
                               "start nothing more after so many jobs that fail alike; 0: go on")
                   ->capture_default_str(),
               0, 1'000'000);
  app->add_flag("--json", options->json, "one JSON object an event on standard output");
  app->footer("Examples:\n  atelier run experiments/demo/study.yaml\n  atelier run study.yaml --set seed=[0,1,2]\n");
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

void add_plan(CLI::App& parent, Action& action) {
  CLI::App* app =
      parent.add_subcommand("plan", "Every run and job of a study, and what is there already; nothing is done");
  const auto options = std::make_shared<RunOptions>();
  add_study(*app, options->study);
  app->add_flag("--jobs", options->jobs, "list the jobs too");
  existing_file(app->add_option("--diff", options->other,
                                "instead: which runs and stages appear, vanish and change from the study to this one, "
                                "and why"));
  app->add_flag("--json", options->json, "as JSON");
  app->callback([options, &action] { action = [options] { return plan(*options); }; });
}

}  // namespace atelier::cli
