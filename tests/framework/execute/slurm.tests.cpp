// What Slurm is told, with programs in the place of its own; tests/slurm has a real one.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/execute/slurm_profile.h"
#include "framework/execute/slurm_queue.h"
#include "framework/execute/slurm_slices.h"
#include "framework/execute/slurm_submit.h"
#include "framework/execute/slurm_task.h"
#include "tests/support/programs_in_path.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

namespace fs = std::filesystem;

Json slurm_job(int id, const std::vector<int>& needs, int steps) {
  const Json description{{"kind", "train"}, {"number", id}};
  return {{"id", id},
          {"kind", "train"},
          {"needs", needs},
          {"runs", {"run"}},
          {"base", "b"},
          {"outputs", {{{"key", key_of(description)}, {"description", description}}}},
          {"job", {{"steps", steps}}}};
}

Json slurm_plan(const std::vector<Json>& jobs) {
  return {{"study", "toy"}, {"placement", {{"threads", 2}, {"slots", 1}, {"device", "cpu"}}}, {"jobs", jobs}};
}

std::set<std::int64_t> ids_of(const Json& plan) {
  std::set<std::int64_t> ids;
  for (const Json& each : plan.at("jobs")) ids.insert(each.at("id").get<std::int64_t>());
  return ids;
}

std::vector<std::vector<std::int64_t>> divide(const Json& plan, std::size_t most) {
  return slurm_slices(plan, ids_of(plan), ids_of(plan), most);
}

SlurmProfile profile_of(const TemporaryFolder& folder, const std::string& text) {
  std::ofstream(folder / "slurm.yaml") << text;
  return read_slurm_profile(folder / "slurm.yaml");
}

class FakeSlurm : public ProgramsInPath {
 public:
  FakeSlurm(const std::string& sbatch, const std::string& squeue, const std::string& scontrol) {
    write("sbatch", sbatch);
    write("squeue", squeue);
    write("scontrol", scontrol);
  }
};

/// Does something when a job has begun, where a test wants it.
struct Watcher final : ExecuteObserver {
  std::function<void()> act;
  void started(const Json&, std::size_t, std::size_t) override {
    if (act) act();
  }
  void progressed(const Json&, const Json&) override {}
  void finished(const Json&, const Json&) override {}
  void failed(const JobFailure&) override {}
};

/// A submission of one task with one job that acts so; the task's internal deadline is `seconds` after its start.
class SubmittedTask {
 public:
  explicit SubmittedTask(const std::string& act, std::int64_t seconds = 3000)
      : slurm_("echo 77", "exit 0", "[ \"$1\" = show ] || echo \"$@\" >>" + (folder_ / "told").string()),
        store_(Store::create_or_open(folder_ / "store")) {
    auto plan = slurm_plan({slurm_job(0, {}, 1)});
    plan["jobs"][0]["job"]["act"] = act;
    auto profile = profile_of(folder_, "time: 60\nrequeues: 5\n");
    profile.margin = profile.seconds - seconds;
    submitted_ = submit_to_slurm(plan, store_, profile, ATELIER_SCRIPTED_WORKER).folder;
  }
  /// Its start number `restarts`, `act` being called when the job begins: exit code, and what it told Slurm.
  std::pair<int, std::string> start(int restarts, const std::function<void()>& act = {}) const {
    ::setenv("SLURM_ARRAY_JOB_ID", "77", 1);
    ::setenv("SLURM_ARRAY_TASK_ID", "0", 1);
    ::setenv("SLURM_RESTART_COUNT", std::to_string(restarts).c_str(), 1);
    fs::remove(folder_ / "told");
    Watcher watcher;
    watcher.act = act;
    const int status = run_slurm_task(submitted_, store_, ATELIER_SCRIPTED_WORKER, watcher);
    std::ifstream told(folder_ / "told");
    return {status, {std::istreambuf_iterator<char>(told), {}}};
  }
  [[nodiscard]] SlurmSubmission submission() const { return slurm_submissions(store_).front(); }
  [[nodiscard]] const Store& store() const { return store_; }

 private:
  TemporaryFolder folder_;
  FakeSlurm slurm_;
  Store store_;
  fs::path submitted_;
};

using Told = std::pair<int, std::string>;
const Told kAgain{3, "requeue 77_0\n"};

const std::string kConfig = "echo 'MaxArraySize            = 3'";

}  // namespace

TEST_CASE("Time limits are read in all of sbatch's forms", "[execute][slurm]") {
  CHECK(slurm_seconds("90") == 5400);
  CHECK(slurm_seconds("90:30") == 5430);
  CHECK(slurm_seconds("4:00:00") == 14400);
  CHECK(slurm_seconds("1-12") == 129600);
  CHECK(slurm_seconds("1-12:30") == 131400);
  CHECK(slurm_seconds("1-12:30:05") == 131405);
  for (const char* wrong : {"", "x", "1:2:3:4", ":5", "5:", "-3", "1-", "4h"}) CHECK(slurm_seconds(wrong) == 0);
}

TEST_CASE("Every fault of a profile is told at once", "[execute][slurm]") {
  const TemporaryFolder folder;
  const auto read = profile_of(folder, "partition: gpu\ngres: 'gpu:1'\ntime: 4:00:00\nsetup: [module load cuda]\n");
  CHECK(read.partition == "gpu");
  CHECK(read.seconds == 14400);
  CHECK(read.setup == std::vector<std::string>{"module load cuda"});
  try {
    static_cast<void>(profile_of(folder, "partitions: gpu\ntime: soon\ntasks: 0\n"));
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK_THAT(text, Catch::Contains("slurm.yaml:1:1") && Catch::Contains("partition"));
    CHECK_THAT(text, Catch::Contains("time") && Catch::Contains("4:00:00"));
    CHECK_THAT(text, Catch::Contains("tasks"));
  }
  CHECK_THROWS_WITH(profile_of(folder, "time: 1\nmargin: 60\n"), Catch::Contains("less than the time limit"));
  CHECK_THROWS_WITH(profile_of(folder, "tasks: 3\n"), Catch::Contains("time: nothing"));
}

TEST_CASE("Jobs that hang together stay in one slice, and slices have equal work", "[execute][slurm]") {
  const auto plan = slurm_plan({slurm_job(0, {}, 100), slurm_job(1, {0}, 10), slurm_job(2, {}, 100),
                                slurm_job(3, {2}, 10), slurm_job(4, {}, 60), slurm_job(5, {4}, 50)});
  CHECK(divide(plan, 3) == std::vector<std::vector<std::int64_t>>{{0, 1}, {2, 3}, {4, 5}});
  CHECK(divide(plan, 1) == std::vector<std::vector<std::int64_t>>{{0, 1, 2, 3, 4, 5}});
  CHECK(divide(plan, 100).size() == 3);  // a slice for each that nobody needs
}

TEST_CASE("A slice holds all that its jobs need and is not there yet", "[execute][slurm]") {
  // one training for two cells whose own work is much more
  const auto plan = slurm_plan({slurm_job(0, {}, 1), slurm_job(1, {0}, 100), slurm_job(2, {0}, 100)});
  CHECK(divide(plan, 2) == std::vector<std::vector<std::int64_t>>{{0, 1}, {0, 2}});
  CHECK(slurm_slices(plan, {1, 2}, {1, 2}, 2) == std::vector<std::vector<std::int64_t>>{{1}, {2}});
  CHECK(slurm_slices(plan, {2}, {0, 1, 2}, 2) == std::vector<std::vector<std::int64_t>>{{0, 2}});
}

TEST_CASE("The jobs of a slice count from 0, and use the frozen plugin", "[execute][slurm]") {
  auto plan = slurm_plan({slurm_job(0, {}, 1), slurm_job(1, {}, 1), slurm_job(2, {0, 1}, 1)});
  plan["jobs"][2]["job"]["plugin"] = "/build/toy.so";
  const auto slice = slice_manifest(plan, {1, 2}, {{"/build/toy.so", "/frozen/toy.so"}}, 3);
  REQUIRE(slice["jobs"].size() == 2);
  CHECK(slice["jobs"][0]["id"] == 0);
  CHECK(slice["jobs"][1]["id"] == 1);
  CHECK(slice["jobs"][1]["needs"] == Json{0});
  CHECK(slice["jobs"][1]["job"]["plugin"] == "/frozen/toy.so");
  CHECK(slice["jobs"][1]["outputs"] == plan["jobs"][2]["outputs"]);
  CHECK(slice["placement"]["slots"] == 3);
}

TEST_CASE("The queue is read by name: other jobs, and what has ended, is not ours", "[execute][slurm]") {
  const auto tasks = parse_squeue(
      "atelier-1|12|3|PENDING|Resources|\n"
      "atelier-1|12|1|RUNNING|None|node7\n"
      "atelier-1|12|0|COMPLETING|None|node7\n"
      "render|13|N/A|RUNNING|None|node8\n");
  REQUIRE(tasks.size() == 2);
  CHECK(tasks[0].task == 3);
  CHECK(tasks[0].reason == "Resources");
  CHECK(tasks[1].node == "node7");
}

TEST_CASE("One array is submitted, no longer than the site allows, and only for what no task has", "[execute][slurm]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto plan = slurm_plan(
      {slurm_job(0, {}, 1), slurm_job(1, {}, 1), slurm_job(2, {}, 1), slurm_job(3, {}, 1), slurm_job(4, {}, 1)});
  const FakeSlurm slurm("cp \"$2\" " + (folder / "script").string() + "; echo '77;cluster'", "exit 0", kConfig);
  const auto profile = profile_of(folder, "time: 60\ntasks: 50\nslots: 2\ngres: gpu:1\n");
  const auto first = submit_to_slurm(plan, store, profile, "/bin/true");
  CHECK(first.job == "77");
  CHECK(first.tasks == 3);
  CHECK(first.jobs == 5);
  std::ifstream file(folder / "script");
  const std::string script(std::istreambuf_iterator<char>(file), {});
  for (const char* line : {"--array=0-2\n", "--time=60\n", "--cpus-per-task=4\n", "--gres=gpu:1\n", "--requeue\n",
                           "--signal=B:USR2@120\n", "exec '"}) {
    CHECK_THAT(script, Catch::Contains(line));
  }

  // Two of its tasks are still in the queue.
  const std::string name = first.folder.filename();
  slurm.write("squeue", "echo '" + name + "|77|0|RUNNING|None|a'; echo '" + name + "|77|2|PENDING|Priority|'");
  const auto second = submit_to_slurm(plan, store, profile, "/bin/true");
  CHECK(second.jobs + second.queued == 5);
  CHECK(second.jobs == slurm_submissions(store).front().keys.at(1).size());
  CHECK(slurm_submissions(store, "toy").size() == 2);
  CHECK(slurm_submissions(store, "other").empty());
}

TEST_CASE("A refusal leaves nothing, and says what to do", "[execute][slurm]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto plan = slurm_plan({slurm_job(0, {}, 1)});
  const auto profile = profile_of(folder, "time: 60\naccount: nobody\n");
  const FakeSlurm slurm("echo 'sbatch: error: Invalid account or account/partition combination specified' >&2; exit 1",
                        "exit 0", kConfig);
  CHECK_THROWS_WITH(submit_to_slurm(plan, store, profile, "/bin/true"),
                    Catch::Contains("Invalid account") && Catch::Contains("nothing was submitted"));
  CHECK(slurm_submissions(store).empty());
  slurm.write("scontrol", "echo 'MaxArraySize = 0'");
  CHECK_THROWS_WITH(submit_to_slurm(plan, store, profile, "/bin/true"), Catch::Contains("allows job arrays"));
  slurm.write("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1");
  CHECK_THROWS_WITH(submit_to_slurm(plan, store, profile, "/bin/true"), Catch::Contains("Unable to contact"));
}

TEST_CASE("A task is queued again at its deadline and at SIGUSR2, but not for ever", "[execute][slurm]") {
  CHECK(SubmittedTask("").start(0) == Told{0, ""});
  CHECK(SubmittedTask("fail").start(0) == Told{1, ""});
  CHECK(SubmittedTask("linger", 0).start(0) == kAgain);
  CHECK(SubmittedTask("linger").start(4, [] { ::kill(::getpid(), SIGUSR2); }) == kAgain);
  CHECK(SubmittedTask("linger", 0).start(5) == Told{3, ""});
}

TEST_CASE("A task whose worker dies is queued again three times, however often it came back for its deadline",
          "[execute][slurm]") {
  const SubmittedTask task("die");
  for (int restarts = 1; restarts < 4; ++restarts) CHECK(task.start(restarts) == kAgain);
  CHECK(task.start(4) == Told{1, ""});
}

TEST_CASE(
    "A task that is stopped while it saves does not come back, and one that Slurm starts all the same ends at once",
    "[execute][slurm]") {
  const SubmittedTask task("linger");
  const auto queue = parse_squeue(task.submission().name + "|77|0|PENDING|BeginTime|\n");
  CHECK(keys_in_queue(task.store(), queue).size() == 1);
  CHECK(task.start(0, [&] {
    mark_stopped(task.submission());
    ::kill(::getpid(), SIGUSR2);
  }) == Told{3, ""});
  bool started = false;
  CHECK(task.start(1, [&] { started = true; }) == Told{3, ""});
  CHECK_FALSE(started);
  CHECK(keys_in_queue(task.store(), queue).empty());
}
