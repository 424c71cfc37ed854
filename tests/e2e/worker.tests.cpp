// Jobs that the command `atelier` would never write.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/e2e/refusal.h"

namespace {

namespace fs = std::filesystem;

/// Lets run_atelier run the worker beside the command.
class WorkerAsCommand {
 public:
  WorkerAsCommand() {
    const char* chosen = std::getenv("ATELIER_COMMAND");
    if (chosen != nullptr) before_ = chosen;
    const fs::path command = before_.empty() ? fs::path(ATELIER_BINARY_DIR "/bin/atelier") : fs::path(before_);
    ::setenv("ATELIER_COMMAND", (command.parent_path() / "atelier-worker").c_str(), 1);
  }
  ~WorkerAsCommand() { ::setenv("ATELIER_COMMAND", before_.c_str(), 1); }
  WorkerAsCommand(const WorkerAsCommand&) = delete;
  WorkerAsCommand& operator=(const WorkerAsCommand&) = delete;

 private:
  std::string before_;
};

void check_job(const std::string& job, int status, const std::vector<std::string>& mentions) {
  CAPTURE(job);
  const WorkerAsCommand worker;
  const Workplace place;
  place.check_refused(status, {"--job", place.write("job", job)}, mentions);
}

}  // namespace

TEST_CASE("A job that is not JSON is refused with file and byte", "[e2e][worker]") {
  check_job("hello", 1, {"inputs/job", "not JSON at byte 1", "expected a JSON text"});
  check_job("", 1, {"inputs/job", "not JSON at byte 1"});
  check_job("\xff\xfe{}", 1, {"inputs/job", "not JSON", "expected a JSON text in UTF-8"});
  check_job("{\"job\": \"sample\"", 1, {"inputs/job", "not JSON"});
}

TEST_CASE("A job of the wrong form names the key and what is expected", "[e2e][worker]") {
  const std::string advice = "call the worker through the command `atelier`";
  check_job("{}", 2, {"job: job", "expected a string", advice});
  check_job("[]", 2, {"job: job", "expected a string", advice});
  check_job("3", 2, {"job: job", "expected a string", advice});
  check_job("{\"job\": 3}", 2, {"job: job: 3", "expected a string", advice});
  check_job("{\"job\": \"sample\"}", 2, {"job: images", "expected an integer", advice});
  check_job("{\"job\": \"probe.component\"}", 2, {"job: component", "expected a string", advice});
}

TEST_CASE("A job of another version's worker is refused", "[e2e][worker]") {
  check_job("{\"job\": \"dance\"}", 2, {"dance", "expected a job that this worker knows", "build both"});
}

TEST_CASE("A job file that is not there is named", "[e2e][worker]") {
  const WorkerAsCommand worker;
  const Workplace place;
  place.check_refused(1, {"--job", place.input("none")}, {"inputs/none", "No such file", "expected a readable file"});
}
