#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/pretraining/base_recipe.h"
#include "framework/pretraining/base_training.h"
#include "framework/store/publishing.h"
#include "framework/worker/job.h"
#include "framework/worker/stop.h"

namespace atelier::worker {
namespace {

/// One JSON object a line, at once: somebody may follow.
void print_event(const Json& event) {
  fmt::print("{}\n", event.dump());
  std::fflush(stdout);
}

/// "2:05:09", "4:07".
std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

void report(const BaseProgress& progress, bool json) {
  if (json) {
    print_event({{"event", "progress"},
                 {"step", progress.step},
                 {"steps", progress.steps},
                 {"loss", progress.loss},
                 {"steps_per_second", progress.steps_per_second},
                 {"seconds_left", progress.seconds_left}});
    return;
  }
  fmt::print(stderr, "step {}/{}  loss {:.5f}  {:.2f} steps/s  {} left\n", progress.step, progress.steps, progress.loss,
             progress.steps_per_second, duration(progress.seconds_left));
}

void report(const BaseTrainingResult& result, bool json) {
  if (json) {
    Json files = Json::array();
    for (const auto& file : result.files) files.push_back(file.string());
    print_event({{"event", "finished"},
                 {"component", result.component},
                 {"already_done", result.already_done},
                 {"steps", result.training.steps},
                 {"resumed_from", result.training.resumed_from},
                 {"parameters", result.training.numbers},
                 {"loss", result.training.loss},
                 {"seconds", result.seconds},
                 {"files", files}});
    return;
  }
  if (result.already_done) {
    fmt::print("{}: nothing to do, this recipe's files are there\n", result.component);
  } else {
    fmt::print("{}: {} parameters, {} steps, loss {:.5f}, {}\n", result.component, result.training.numbers,
               result.training.steps, result.training.loss, duration(result.seconds));
  }
  for (const auto& file : result.files)
    fmt::print("{}: {}\n", result.already_done ? "found" : "written", file.string());
}

/// Two trainings of one component in one folder would overwrite each other's snapshot.
FileDescriptor lock_component(const std::filesystem::path& out, const std::string& component) {
  const auto records = out / ".training";
  std::filesystem::create_directories(records);
  FileDescriptor lock = lock_file(records / (component + ".lock"), /*wait=*/false);
  if (lock) return lock;
  throw Error({.where = out.string() + ": " + component,
               .found = "another process that trains it",
               .expected = "one at a time",
               .advice = "wait for the other one, or give another --out"},
              ErrorKind::usage);
}

}  // namespace

void run_base_train(const Job& job) {
  stop_on_signals(-1);
  const BaseRecipe recipe = read_base_recipe(job.text("recipe"), job.optional_integer("steps"));
  const FileDescriptor lock = lock_component(job.text("out"), std::string(component_name(recipe.component)));
  const bool json = job.flag("json");
  const BaseTrainingResult result =
      run_base_training({.recipe = job.text("recipe"),
                         .data = job.text("data"),
                         .out = job.text("out"),
                         .placement = job.placement(),
                         .steps = job.optional_integer("steps"),
                         .report_seconds = job.optional_number("report_seconds").value_or(10.0),
                         .stop = stop_requested,
                         .on_progress = [json](const BaseProgress& progress) { report(progress, json); }});
  report(result, json);
}

}  // namespace atelier::worker
