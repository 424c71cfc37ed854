#include "tests/slurm/cluster.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "framework/execute/program.h"

extern char** environ;

namespace {

/// Of the user's own Slurm, and of a task of it in which the tests may run.
void forget_other_slurms() {
  constexpr std::array<std::string_view, 7> kPrefixes{"SLURM",    "SBATCH_",   "SALLOC_", "SQUEUE_",
                                                      "SCANCEL_", "SCONTROL_", "SINFO_"};
  std::vector<std::string> names;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view line = *each;
    for (const auto prefix : kPrefixes) {
      if (line.starts_with(prefix)) names.emplace_back(line.substr(0, line.find('=')));
    }
  }
  for (const auto& name : names) ::unsetenv(name.c_str());
}

atelier::ProgramOutcome call(const std::string& words, const TemporaryFolder* folder = nullptr) {
  std::string line = ATELIER_SOURCE_DIR "/tests/slurm/cluster.sh " + words;
  if (folder != nullptr) line += " " + folder->path().string();
  return atelier::run_program({"bash", "-c", line}, "");
}

}  // namespace

Cluster* Cluster::find() {
  static const auto missing = call("available");
  if (missing.status != 0) {
    static const int once = std::printf("skipped: no Slurm here; %s", missing.out.c_str());
    static_cast<void>(once);
    return nullptr;
  }
  static Cluster cluster;
  return &cluster;
}

Cluster::Cluster() {
  forget_other_slurms();
  const auto started = call("start", &folder_);
  if (started.status != 0) throw std::runtime_error("Slurm does not start: " + started.out + started.err);
  ::setenv("SLURM_CONF", (folder_ / "slurm.conf").c_str(), 1);
}

Cluster::~Cluster() { static_cast<void>(call("stop", &folder_)); }

std::string Cluster::ask(const std::string& command) const {
  const auto outcome = atelier::run_program({"bash", "-c", command}, "");
  if (outcome.status != 0) throw std::runtime_error(command + ": " + outcome.out + outcome.err);
  return outcome.out;
}

void Cluster::start_waiting_tasks() const {
  std::istringstream numbers(ask("squeue --noheader --me --array --states=PENDING --format=%F_%K,%r"));
  for (std::string line; std::getline(numbers, line);) {
    if (!line.ends_with(",BeginTime")) continue;
    // Between the question and this the task may have begun.
    static_cast<void>(
        atelier::run_program({"scontrol", "update", "JobId=" + line.substr(0, line.find(',')), "StartTime=now"}, ""));
  }
}

void Cluster::set_down(const std::string& node) const {
  ask("scontrol update NodeName=" + node + " State=DOWN Reason=test");
}

void Cluster::resume(const std::string& node) const { ask("scontrol update NodeName=" + node + " State=RESUME"); }

void Cluster::end_in_a_second(const std::string& task) const {
  ask("scontrol update JobId=" + task + " EndTime=now+1");
}

bool Cluster::idle() const { return ask("squeue --noheader --me").empty(); }

bool Cluster::wait_for_all() const {
  return comes_true([&] {
    start_waiting_tasks();
    return idle();
  });
}

bool comes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}
