#include "framework/execute/slurm_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/execute/program.h"
#include "framework/execute/slurm_deadline.h"
#include "framework/execute/slurm_queue.h"

namespace atelier {
namespace {

constexpr std::int64_t kTriesAfterDeaths = 3;

std::int64_t number_in_environment(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoll(text, nullptr, 10);
}

std::int64_t task_number() {
  const auto number = number_in_environment("SLURM_ARRAY_TASK_ID", -1);
  if (number >= 0) return number;
  throw Error({.where = "SLURM_ARRAY_TASK_ID",
               .found = "nothing",
               .expected = "the number of a task",
               .advice = "this command is for tasks that `atelier run --executor slurm` submitted"},
              ErrorKind::usage);
}

/// Notes that a worker of this task has died for good; how often that was so before.
std::int64_t count_death(const std::filesystem::path& folder, std::int64_t task) {
  const auto file = folder / fmt::format("deaths-{}.json", task);
  const auto before = std::filesystem::exists(file) ? read_json_file(file).at("deaths").get<std::int64_t>() : 0;
  write_file_atomically(file, Json{{"deaths", before + 1}}.dump());
  return before;
}

/// Slurm ends this process as it does so: nothing may be left to do.
int queue_again(std::int64_t task) {
  const auto job = fmt::format("{}_{}", number_in_environment("SLURM_ARRAY_JOB_ID", 0), task);
  fmt::print("atelier: asking Slurm to queue task {} again\n", job);
  std::fflush(nullptr);
  const auto outcome = run_program({"scontrol", "requeue", job}, "run the study again: what is missing is submitted");
  if (outcome.status == 0) return 3;
  throw Error({.where = "scontrol requeue " + job,
               .found = outcome.err.substr(0, outcome.err.find('\n')),
               .expected = "the task in the queue",
               .advice = "run the study again: what is missing is submitted"});
}

}  // namespace

int run_slurm_task(const std::filesystem::path& folder, const Store& store, const std::filesystem::path& worker,
                   ExecuteObserver& observer) {
  const auto task = task_number();
  if (is_stopped(folder)) {
    fmt::print("atelier: task {}: the study was stopped after this was submitted\n", task);
    return 3;
  }
  const Json submission = read_json_file(folder / "submission.json");
  const Json slice = read_json_file(folder / fmt::format("slice-{}.json", task));
  const auto seconds = submission.at("seconds").get<std::int64_t>() - submission.at("margin").get<std::int64_t>();
  const auto restarts = number_in_environment("SLURM_RESTART_COUNT", 0);

  ExecuteResult result;
  bool deadline = false;
  {
    const SlurmDeadline watch{std::chrono::seconds(seconds)};
    result = execute(slice, store, worker, observer, {.slots = slice.at("placement").at("slots").get<std::size_t>()});
    deadline = watch.passed();
  }
  fmt::print("atelier: task {}: {} jobs done, {} were there already, {} failed, {} blocked{}\n", task, result.done,
             result.skipped, result.failures.size(), result.blocked, result.interrupted ? "; interrupted" : "");
  const bool died = std::ranges::any_of(result.failures, [](const auto& each) { return each.failure == "node"; });
  const bool unfinished = result.interrupted && deadline;
  const bool may_return = restarts < submission.at("requeues").get<std::int64_t>() && !is_stopped(folder);
  if (may_return && (unfinished || (died && !result.interrupted && count_death(folder, task) < kTriesAfterDeaths))) {
    return queue_again(task);
  }
  if (result.interrupted) return 3;
  return result.failures.empty() ? 0 : 1;
}

}  // namespace atelier
