// Studies on a real Slurm: what its tasks leave in the store is what a local run leaves there.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/slurm/cluster.h"
#include "tests/slurm/slurm_place.h"
#include "tests/study/started_command.h"
#include "tests/study/store_facts.h"
#include "tests/support/programs_in_path.h"

namespace {

namespace fs = std::filesystem;
using Catch::Contains;

std::string one_method(int steps) {
  return fmt::format(R"(  textual_inversion:
    base: {}/experiments/demo/base
    options: {{resolution: 32, embedding: {{max_train_steps: {}, train_batch_size: 2, learning_rate: 1e-2}}}})",
                     ATELIER_SOURCE_DIR, steps);
}

std::string seeds(int count) {
  std::string list;
  for (int seed = 0; seed < count; ++seed) list += fmt::format("{}{}", seed == 0 ? "" : ", ", seed);
  return fmt::format("sweep: [{{grid: {{seed: [{}]}}}}]\n", list);
}

/// While it lives, a program that computes nothing takes the worker's place; what it does is in ATELIER_ACT.
class WithoutComputing {
 public:
  WithoutComputing() { ::setenv("ATELIER_WORKER", ATELIER_SCRIPTED_WORKER, 1); }
  ~WithoutComputing() { ::unsetenv("ATELIER_WORKER"); }
  WithoutComputing(const WithoutComputing&) = delete;
  WithoutComputing& operator=(const WithoutComputing&) = delete;
};

/// Its workers wait to be stopped.
const std::string kPatient = "setup: [export ATELIER_ACT=linger]\n";

bool running(const Cluster& cluster, const std::string& count) {
  return comes_true([&] { return cluster.ask("squeue --noheader --me --array --states=RUNNING | wc -l") == count; });
}

#define SKIP_WITHOUT_SLURM()                \
  Cluster* const cluster = Cluster::find(); \
  if (cluster == nullptr) return

}  // namespace

TEST_CASE("status tells what becomes of a study's tasks; stop takes them out of the queue, and no other study's",
          "[slurm][stop]") {
  SKIP_WITHOUT_SLURM();
  const WithoutComputing scripted;
  const SlurmPlace slurm(one_method(4), seeds(5), "time: 10\ntasks: 5\n" + kPatient);
  REQUIRE(slurm.submit().status == 0);
  slurm.write_profile("time: 10\n" + kPatient);
  REQUIRE(slurm.submit_other("other", 7).status == 0);
  REQUIRE(running(*cluster, "4\n"));
  CHECK_THAT(slurm.place.ask("status").out, Contains("1 pending (") && Contains("), 4 running"));
  const auto all = run_atelier({"status", "--store", slurm.place.store()});
  CHECK_THAT(all.out, Contains("small: slurm job ") && Contains("other: slurm job "));
  CHECK_THAT(slurm.submit().out, Contains("nothing to submit"));

  const auto stopped = slurm.place.ask("stop");
  CHECK(stopped.status == 0);
  CHECK_THAT(stopped.out, Contains("small: 5 tasks stopped; trainings are saved, run the study again to go on"));
  REQUIRE(running(*cluster, "1\n"));
  CHECK_THAT(slurm.place.ask("status").out, Contains("no task in the queue; 5 of 5 tasks ended with results missing, "
                                                     "`atelier run` submits those again (logs: "));
  CHECK_THAT(slurm.place.ask("stop").out, Contains("none of its tasks is in Slurm's queue"));
  CHECK_THAT(run_atelier({"status", "other", "--store", slurm.place.store()}).out, Contains("1 running"));
  CHECK_THAT(slurm.log(0), Contains("interrupted") && !Contains("to queue task"));
  CHECK(run_atelier({"stop", "other", "--store", slurm.place.store()}).status == 0);
  REQUIRE(comes_true([&] { return cluster->idle(); }));

  slurm.write_profile("time: 10\ntasks: 5\n");
  CHECK_THAT(slurm.submit().out, Contains("5 tasks for"));
  REQUIRE(cluster->wait_for_all());
  INFO(slurm.logs());
  CHECK_THAT(slurm.place.ask("status").out, !Contains("slurm"));
  CHECK_THAT(slurm.submit().out, Contains("nothing to do"));
}

TEST_CASE("A resubmission asks for what is missing alone; an array is as long as the site allows", "[slurm][array]") {
  SKIP_WITHOUT_SLURM();
  const WithoutComputing scripted;
  const SlurmPlace slurm(one_method(4), seeds(10), "time: 10\ntasks: 100\noptions: [--hold]\n");
  const auto submitted = slurm.submit();
  INFO(submitted.err);
  CHECK_THAT(submitted.out, Contains("8 tasks for 34 jobs"));  // MaxArraySize of this cluster
  CHECK_THAT(slurm.place.ask("status").out, Contains("8 pending (JobHeldUser)"));
  const std::string job = cluster->ask("squeue --noheader --me --format=%F | head -n 1 | tr -d '\\n'");
  cluster->ask(fmt::format("scancel {0}_0 && scontrol release {0}", job));
  REQUIRE(cluster->wait_for_all());
  CHECK_THAT(slurm.place.ask("status").out, Contains("1 of 8 tasks ended with results missing"));
  slurm.write_profile("time: 10\ntasks: 100\n");
  CHECK_THAT(slurm.submit().out,
             Contains("2 tasks for 6 jobs; 0 are with earlier tasks in the queue, 28 in the store"));
  REQUIRE(cluster->wait_for_all());
  INFO(slurm.logs());
  CHECK_THAT(slurm.submit().out, Contains("nothing to do, all 34 jobs are in the store"));
}

TEST_CASE("What sbatch refuses is told in its words, with what to do, and leaves nothing", "[slurm][errors]") {
  SKIP_WITHOUT_SLURM();
  const WithoutComputing scripted;
  const SlurmPlace slurm(one_method(4), "", "time: 10\npartition: missing\n");
  const auto partition = slurm.submit();
  CHECK(partition.status == 1);
  CHECK_THAT(partition.err, Contains("sbatch, partition missing: ") && Contains("nvalid partition") &&
                                Contains("nothing was submitted; correct `partition` in the profile"));
  CHECK_THAT(slurm.place.ask("stop").out, Contains("none of its tasks"));
  slurm.write_profile("time: 10\noptions: ['--gres=quantum:1']\n");
  CHECK_THAT(slurm.submit().err, Contains("correct `gres` in the profile"));
  CHECK(cluster->idle());
}

TEST_CASE("Where the queue does not answer, status says so among the rest, and stop and run end with its words",
          "[slurm][queue]") {
  const WithoutComputing scripted;
  const ProgramsInPath slurm;
  slurm.write("squeue", "exit 0");
  slurm.write("scontrol", "echo MaxArraySize = 9");
  slurm.write("sbatch", "echo 7");
  const SlurmPlace study(one_method(4), "", "time: 10\ntasks: 1\n");
  REQUIRE(study.submit().status == 0);

  slurm.write("squeue", "echo 'squeue: error: no controller' >&2; exit 1");
  const std::string words =
      "squeue: squeue: error: no controller; expected the tasks in the queue; see whether squeue itself answers";
  const auto status = study.place.ask("status");
  CHECK(status.status == 0);
  CHECK_THAT(status.out, Contains("small: 3 runs") && Contains("slurm: " + words));
  for (const auto& outcome : {study.place.ask("stop"), study.submit()}) {
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains(words));
  }

  slurm.write("squeue", fmt::format("echo '{}|7|0|RUNNING|None|n1'", study.submission()));
  slurm.write("scancel", "echo 'scancel: error: not yours' >&2; exit 1");
  CHECK_THAT(study.place.ask("status").out, Contains("slurm job 7: 1 running\n"));
  const auto refused = study.place.ask("stop");
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("scancel: error: not yours; expected the tasks taken out of the queue"));
  CHECK_THAT(study.submit().out, Contains("nothing to submit"));  // they still run
}

// A worker dies, one hangs until Slurm ends its task at the time limit, a task reaches its deadline, and another one's
// node is set down: 0 and 1 are tasks of one node, 2 and 3 of the other.
TEST_CASE("Whatever befalls its tasks, a study on two nodes leaves what a local run leaves, to the bit",
          "[slurm][storm]") {
  SKIP_WITHOUT_SLURM();
  const std::string more = seeds(4) + "snapshot: {every_steps: 5, every_seconds: 0}\n";
  const SlurmPlace slurm(one_method(40), more, "time: 10\ntasks: 4\n");
  const auto submitted = slurm.submit();
  INFO(submitted.err);
  REQUIRE(submitted.status == 0);
  CHECK_THAT(submitted.out, Contains("4 tasks"));
  const auto tasks = slurm.hold_trainings(4);
  REQUIRE(tasks.size() == 4);
  REQUIRE(tasks[0].node == tasks[1].node);
  REQUIRE(tasks[2].node == tasks[3].node);
  REQUIRE(tasks[1].node != tasks[2].node);
  const std::string maps = slurm.mapped_files(tasks[0]);  // copies: one may go on building
  CHECK_THAT(maps, Contains("/slurm/programs/") && !Contains(ATELIER_BINARY_DIR "/bin") &&
                       !Contains(ATELIER_BINARY_DIR "/lib"));

  cluster->end_in_a_second(tasks[0].name);
  REQUIRE(::kill(tasks[1].worker, SIGKILL) == 0);
  cluster->ask("scancel --batch --signal=USR2 " + tasks[2].name);
  REQUIRE(::kill(tasks[2].worker, SIGCONT) == 0);
  REQUIRE(comes_true([&] { return slurm.log(2).find("to queue task") != std::string::npos; }));
  cluster->set_down(tasks[3].node);

  const StudyPlace alone(one_method(40), more);
  StartedCommand local({"run", alone.study(), "--store", alone.store()});
  REQUIRE(cluster->wait_for_all());
  cluster->resume(tasks[3].node);
  INFO(slurm.logs());
  CHECK_THAT(slurm.log(0), Contains("DUE TO TIME LIMIT") && Contains("to queue task"));
  CHECK_THAT(slurm.log(1), Contains("killed by signal 9"));
  CHECK_THAT(slurm.log(3), Contains("DUE TO NODE FAILURE"));
  CHECK_FALSE(fs::exists(slurm.place.store() + "/index.sqlite"));  // tasks open no database
  REQUIRE(local.wait() == 0);
  const auto published = slurm.place.published();
  CHECK(published == alone.published());
  CHECK(slurm.place.ask("table", {"--as", "csv"}).out == alone.ask("table", {"--as", "csv"}).out);
  const StoreFacts facts(slurm.place.store());
  for (const auto& [key, object] : published) CHECK(facts.publications(key) == 1);
  CHECK(facts.divergences() == 0);
  CHECK_THAT(slurm.submit().out, Contains("nothing to do"));
}
