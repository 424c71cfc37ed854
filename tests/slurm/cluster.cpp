#include "tests/slurm/cluster.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "framework/execute/program.h"

namespace {

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
