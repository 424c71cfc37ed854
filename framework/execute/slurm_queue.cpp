#include "framework/execute/slurm_queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/execute/program.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "atelier-";
constexpr std::string_view kStopped = "stopped";
constexpr std::array<std::string_view, 7> kWaitsOrRuns{"PENDING",      "RUNNING",  "CONFIGURING", "SUSPENDED",
                                                       "REQUEUE_HOLD", "REQUEUED", "RESIZING"};

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream words(line);
  for (std::string word; std::getline(words, word, '|');) fields.push_back(word);
  fields.resize(6);
  return fields;
}

SlurmSubmission read_submission(const fs::path& folder) {
  const Json json = read_json_file(folder / "submission.json");
  SlurmSubmission submission{.name = folder.filename().string(),
                             .study = json.at("study").get<std::string>(),
                             .job = {},
                             .folder = folder,
                             .keys = json.at("keys").get<std::vector<std::set<std::string>>>()};
  if (fs::exists(folder / "job.json")) {
    submission.job = read_json_file(folder / "job.json").at("job").get<std::string>();
  }
  return submission;
}

}  // namespace

std::vector<SlurmTask> parse_squeue(const std::string& text) {
  std::vector<SlurmTask> tasks;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto fields = fields_of(line);
    SlurmTask task{
        .submission = fields[0], .job = fields[1], .state = fields[3], .reason = fields[4], .node = fields[5]};
    if (!task.submission.starts_with(kPrefix) || std::ranges::find(kWaitsOrRuns, task.state) == kWaitsOrRuns.end())
      continue;
    std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), task.task);
    tasks.push_back(std::move(task));
  }
  return tasks;
}

std::vector<SlurmTask> slurm_queue() {
  const auto asked = run_program({"squeue", "--noheader", "--me", "--array", "--format=%j|%F|%K|%T|%r|%N"},
                                 "call this where the cluster's commands are");
  if (asked.status == 0) return parse_squeue(asked.out);
  throw Error({.where = "squeue",
               .found = asked.err.substr(0, asked.err.find('\n')),
               .expected = "the tasks in the queue",
               .advice = "see whether squeue itself answers"});
}

void cancel_slurm_jobs(const std::vector<std::string>& numbers) {
  std::vector<std::string> words{"scancel"};
  words.insert(words.end(), numbers.begin(), numbers.end());
  const auto outcome = run_program(words, "call this where the cluster's commands are");
  if (outcome.status == 0) return;
  throw Error({.where = "scancel",
               .found = outcome.err.substr(0, outcome.err.find('\n')),
               .expected = "the tasks taken out of the queue",
               .advice = "see with squeue what is left of them"});
}

void mark_stopped(const SlurmSubmission& submission) { write_file_atomically(submission.folder / kStopped, ""); }

bool is_stopped(const fs::path& submission) { return fs::exists(submission / kStopped); }

fs::path slurm_folder(const Store& store) { return store.root() / "slurm"; }

std::vector<SlurmSubmission> slurm_submissions(const Store& store, const std::string& study) {
  std::vector<std::pair<fs::file_time_type, SlurmSubmission>> found;
  const fs::path folder = slurm_folder(store);
  if (!fs::is_directory(folder)) return {};
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto file = entry.path() / "submission.json";
    if (!entry.path().filename().string().starts_with(kPrefix) || !fs::exists(file)) continue;
    SlurmSubmission submission = read_submission(entry.path());
    if (study.empty() || submission.study == study)
      found.emplace_back(fs::last_write_time(file), std::move(submission));
  }
  std::ranges::sort(found, {}, [](const auto& each) { return std::pair(each.first, each.second.name); });
  std::vector<SlurmSubmission> submissions;
  for (auto& each : found) submissions.push_back(std::move(each.second));
  return submissions;
}

std::set<std::string> keys_in_queue(const Store& store, const std::vector<SlurmTask>& queue) {
  std::set<std::string> keys;
  for (const SlurmSubmission& submission : slurm_submissions(store)) {
    if (is_stopped(submission.folder)) continue;
    for (const SlurmTask& task : queue) {
      const auto index = static_cast<std::size_t>(task.task);
      if (task.submission != submission.name || index >= submission.keys.size()) continue;
      keys.insert(submission.keys[index].begin(), submission.keys[index].end());
    }
  }
  return keys;
}

}  // namespace atelier
