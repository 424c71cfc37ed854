#include "tests/slurm/slurm_place.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "framework/core/json.h"
#include "framework/execute/slurm_queue.h"
#include "framework/store/spool.h"
#include "framework/store/store.h"
#include "tests/slurm/cluster.h"

namespace fs = std::filesystem;

namespace {

std::string content_of_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Empty for a process that has ended.
std::map<std::string, std::string> environment_of(pid_t process) {
  std::map<std::string, std::string> variables;
  std::ifstream file(fmt::format("/proc/{}/environ", process));
  for (std::string line; std::getline(file, line, '\0');) {
    const auto equals = line.find('=');
    if (equals != std::string::npos) variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return variables;
}

}  // namespace

SlurmPlace::SlurmPlace(const std::string& methods, const std::string& more, const std::string& profile)
    : place(methods, more) {
  write_profile(profile);
}

void SlurmPlace::write_profile(const std::string& text) const { std::ofstream(place.folder() / "slurm.yaml") << text; }

std::vector<std::string> SlurmPlace::words(const std::string& study) const {
  return {"run",        study,   "--store",   place.store(),
          "--executor", "slurm", "--profile", (place.folder() / "slurm.yaml").string()};
}

Outcome SlurmPlace::submit() const { return run_atelier(words(place.study())); }

Outcome SlurmPlace::submit_other(const std::string& name, int seed) const {
  std::string text = content_of_file(place.study());
  text.replace(text.find("study: small"), 12, "study: " + name);
  const auto sweep = text.find("sweep:");
  text.replace(sweep, text.find('\n', sweep) - sweep, fmt::format("sweep: [{{grid: {{seed: [{}]}}}}]", seed));
  const std::string file = place.folder() / (name + ".yaml");
  std::ofstream(file) << text;
  return run_atelier(words(file));
}

std::vector<SlurmPlace::Task> SlurmPlace::tasks() const {
  std::map<int, Task> found;
  const auto event = [&](const atelier::Json& line) {
    if (line.value("type", "") != "attempt") return;
    const auto pid = line.at("pid").get<pid_t>();
    const auto variables = environment_of(pid);
    if (!variables.contains("SLURM_ARRAY_TASK_ID")) return;
    const std::string task = variables.at("SLURM_ARRAY_TASK_ID");
    const bool saved = std::ranges::any_of(line.at("job_keys"), [&](const atelier::Json& key) {
      return fs::exists(place.store() + "/snapshots/" + key.get<std::string>());
    });
    found[std::stoi(task)] = {.name = variables.at("SLURM_ARRAY_JOB_ID") + "_" + task,
                              .node = variables.at("SLURMD_NODENAME"),
                              .worker = pid,
                              .saved = saved};
  };
  for (const auto& entry : fs::directory_iterator(place.store() + "/spool")) {
    atelier::read_spool(entry.path(), 0, event, [](std::uint64_t, const std::string&) {});
  }
  std::vector<Task> tasks;
  for (const auto& [number, task] : found) tasks.push_back(task);
  return tasks;
}

std::vector<SlurmPlace::Task> SlurmPlace::hold_trainings(std::size_t count) const {
  std::set<pid_t> held;
  const bool all = comes_true([&] {
    for (const Task& task : tasks()) {
      if (task.saved && held.insert(task.worker).second) ::kill(task.worker, SIGSTOP);
    }
    return held.size() == count;
  });
  return all ? tasks() : std::vector<Task>{};
}

std::string SlurmPlace::mapped_files(const Task& task) {
  return content_of_file(fmt::format("/proc/{}/maps", task.worker));
}

std::string SlurmPlace::submission() const {
  return atelier::slurm_submissions(atelier::Store::open(place.store())).front().name;
}

std::string SlurmPlace::log(int task) const {
  const auto submissions = atelier::slurm_submissions(atelier::Store::open(place.store()));
  return submissions.empty() ? "" : content_of_file(submissions.front().folder / fmt::format("task-{}.log", task));
}

std::string SlurmPlace::logs() const {
  std::string text;
  for (const auto& submission : atelier::slurm_submissions(atelier::Store::open(place.store()))) {
    for (const auto& entry : fs::directory_iterator(submission.folder)) {
      if (entry.path().extension() != ".log") continue;
      text += entry.path().filename().string() + ":\n" + content_of_file(entry.path());
    }
  }
  return text;
}
