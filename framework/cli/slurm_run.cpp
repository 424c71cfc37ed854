#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "framework/cli/command.h"
#include "framework/cli/run_observer.h"
#include "framework/cli/slurm.h"
#include "framework/cli/store_option.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/error.h"
#include "framework/execute/slurm_profile.h"
#include "framework/execute/slurm_queue.h"
#include "framework/execute/slurm_submit.h"
#include "framework/execute/slurm_task.h"
#include "framework/store/spool.h"

namespace atelier::cli {
namespace {

std::string default_profile() {
  const auto set = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text == nullptr ? "" : text);
  };
  const std::string config = set("XDG_CONFIG_HOME");
  return (config.empty() ? set("HOME") + "/.config" : config) + "/atelier/slurm.yaml";
}

/// Keys tell the device: a study planned for a CPU would leave the GPU that is asked for idle.
void check_device(const Json& manifest, const SlurmProfile& profile, const std::string& file) {
  const std::string device = manifest.at("placement").at("device").get<std::string>();
  if (device != "cpu" || profile.gres.find("gpu") == std::string::npos) return;
  throw Error({.where = file + ": gres",
               .found = fmt::format("{}, while the study computes on the CPU", profile.gres),
               .expected = "a study on a GPU, or no GPU in the profile",
               .advice = "say --set placement.device=cuda:0; `auto` means what this machine has"},
              ErrorKind::usage);
}

void print_submitted(const SlurmSubmitted& done, const std::string& study) {
  if (done.jobs == 0 && done.queued == 0) {
    fmt::print("{}: nothing to do, all {} jobs are in the store\n", study, done.cached);
  } else if (done.jobs == 0) {
    fmt::print("{}: nothing to submit, {} jobs are with tasks in the queue, {} in the store\n", study, done.queued,
               done.cached);
  } else {
    fmt::print("{}: Slurm job {}, {} tasks for {} jobs; {} are with earlier tasks in the queue, {} in the store\n",
               study, done.job, done.tasks, done.jobs, done.queued, done.cached);
    fmt::print("  this command is not needed any more: atelier status {0}, atelier stop {0}\n", study);
  }
}

/// "3 running, 5 pending (Resources)"
std::string counts_of(const std::vector<SlurmTask>& tasks) {
  std::map<std::string, std::size_t> counts;
  for (const SlurmTask& task : tasks) {
    std::string state = task.state;
    std::ranges::transform(state, state.begin(),
                           [](char each) { return each >= 'A' && each <= 'Z' ? each + 32 : each; });
    if (task.state == "PENDING" && !task.reason.empty()) state += " (" + task.reason + ")";
    ++counts[state];
  }
  std::string text;
  for (const auto& [state, count] : counts) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
  return text;
}

std::vector<SlurmTask> tasks_of(const SlurmSubmission& submission, const std::vector<SlurmTask>& queue) {
  std::vector<SlurmTask> tasks;
  for (const SlurmTask& task : queue) {
    if (task.submission == submission.name) tasks.push_back(task);
  }
  return tasks;
}

/// Tasks that left the queue with results missing.
std::size_t unfinished(const SlurmSubmission& submission, const std::vector<SlurmTask>& tasks, const Store& store) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < submission.keys.size(); ++i) {
    const bool queued = std::ranges::any_of(tasks, [&](const auto& task) { return task.task == static_cast<int>(i); });
    const bool done = std::ranges::all_of(submission.keys[i], [&](const auto& key) { return store.has(key); });
    if (!queued && !done) ++count;
  }
  return count;
}

int stop(const std::string& study, const Store& store) {
  const auto submissions = slurm_submissions(store, study);
  std::set<std::string> numbers;
  std::size_t count = 0;
  const auto queue = submissions.empty() ? std::vector<SlurmTask>{} : slurm_queue();
  for (const SlurmSubmission& submission : submissions) {
    for (const SlurmTask& task : tasks_of(submission, queue)) {
      numbers.insert(task.job);
      ++count;
    }
  }
  if (count > 0) cancel_slurm_jobs({numbers.begin(), numbers.end()});
  for (const SlurmSubmission& submission : submissions) mark_stopped(submission);
  if (count == 0) {
    fmt::print("{}: none of its tasks is in Slurm's queue; a `run` in a terminal is stopped by Ctrl-C\n", study);
    return 0;
  }
  fmt::print("{}: {} tasks stopped; trainings are saved, run the study again to go on\n", study, count);
  return 0;
}

struct TaskOptions {
  std::string folder, store;
};

}  // namespace

int submit_manifest(const Json& manifest, const Store& store, const std::string& profile, bool json) {
  const std::string file = profile.empty() ? default_profile() : profile;
  if (!std::filesystem::exists(file)) {
    throw Error({.where = file,
                 .found = "no such file",
                 .expected = "a profile of the cluster (partition, account, gres, time)",
                 .advice = "write it, or name one with --profile FILE; docs/slurm.md shows one"},
                ErrorKind::usage);
  }
  const SlurmProfile read = read_slurm_profile(file);
  check_device(manifest, read, file);
  const std::string digest = store.put_manifest(manifest);
  Spool(store).write({{"type", "manifest"}, {"study", manifest.at("study")}, {"manifest", digest}}, true);
  const SlurmSubmitted done = submit_to_slurm(manifest, store, read, worker_path());
  const std::string study = manifest.at("study").get<std::string>();
  if (!json) {
    print_submitted(done, study);
    return 0;
  }
  fmt::print("{}\n", Json{{"event", "submitted"},
                          {"study", study},
                          {"slurm_job", done.job},
                          {"tasks", done.tasks},
                          {"jobs", done.jobs},
                          {"queued", done.queued},
                          {"cached", done.cached}}
                         .dump());
  return 0;
}

std::vector<std::string> slurm_lines(const Store& store, const std::string& study) try {
  const auto submissions = slurm_submissions(store, study);
  if (submissions.empty()) return {};
  const auto queue = slurm_queue();
  std::vector<std::string> lines;
  for (const SlurmSubmission& submission : submissions) {
    const auto tasks = tasks_of(submission, queue);
    const auto ended = unfinished(submission, tasks, store);
    // Of earlier submissions only what still goes on is of interest.
    const bool last = std::ranges::none_of(submissions, [&](const SlurmSubmission& other) {
      return &other > &submission && other.study == submission.study;
    });
    if (tasks.empty() && (ended == 0 || !last)) continue;
    std::string line = fmt::format("{}slurm job {}: {}", study.empty() ? submission.study + ": " : "",
                                   submission.job.empty() ? "?" : submission.job,
                                   tasks.empty() ? std::string("no task in the queue") : counts_of(tasks));
    if (ended > 0) {
      line += fmt::format("; {} of {} tasks ended with results missing, `atelier run` submits those again (logs: {})",
                          ended, submission.keys.size(), submission.folder.string());
    }
    lines.push_back(std::move(line));
  }
  return lines;
} catch (const Error& error) {
  return {fmt::format("slurm: {}", error.what())};
}

void add_slurm_task(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("slurm-task", "What a task does that `run --executor slurm` submitted");
  const auto options = std::make_shared<TaskOptions>();
  app->add_option("folder", options->folder, "the submission's folder in the store")->required()->type_name("DIR");
  add_store(*app, options->store);
  app->callback([options, &action] {
    action = [options] {
      RunObserver observer(false, true);
      return run_slurm_task(options->folder, open_store(options->store), worker_path(), observer);
    };
  });
}

void add_stop(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("stop", "Take a study's tasks out of Slurm's queue; what they do is saved");
  const auto options = std::make_shared<TaskOptions>();
  app->add_option("study", options->folder, "the study's name")->required()->type_name("STUDY");
  add_store(*app, options->store);
  app->callback(
      [options, &action] { action = [options] { return stop(options->folder, open_store(options->store)); }; });
}

}  // namespace atelier::cli
