// Studies on a real Slurm: what its tasks leave in the store is what a local run leaves there.
#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/store/spool.h"
#include "framework/store/store.h"
#include "tests/slurm/cluster.h"
#include "tests/study/store_facts.h"
#include "tests/study/study_place.h"

namespace {

namespace fs = std::filesystem;

/// A study with its profile and what a local run of it publishes.
class SlurmPlace {
 public:
  SlurmPlace(const std::string& methods, const std::string& more, const std::string& profile = "time: 10\ntasks: 4\n")
      : place(methods, more) {
    write_profile(profile);
  }
  void write_profile(const std::string& text) const { std::ofstream(file()) << text; }
  [[nodiscard]] Outcome submit() const { return place.run({"--executor", "slurm", "--profile", file()}); }
  [[nodiscard]] std::string file() const { return place.folder() / "slurm.yaml"; }
  /// What the tasks said, for a test that fails.
  [[nodiscard]] std::string logs() const {
    std::string text;
    if (!fs::exists(place.store() + "/slurm")) return text;
    for (const auto& entry : fs::recursive_directory_iterator(place.store() + "/slurm")) {
      if (entry.path().extension() != ".log") continue;
      std::ifstream log(entry.path());
      text += entry.path().filename().string() + ":\n" + std::string(std::istreambuf_iterator<char>(log), {});
    }
    return text;
  }
  /// Process ids of the workers that began an attempt.
  [[nodiscard]] std::vector<pid_t> workers() const {
    std::vector<pid_t> found;
    const auto event = [&](const atelier::Json& line) {
      if (line.value("type", "") == "attempt") found.push_back(line.value("pid", 0));
    };
    if (!fs::exists(place.store() + "/store.json")) return found;
    for (const auto& entry : fs::directory_iterator(place.store() + "/spool")) {
      atelier::read_spool(entry.path(), 0, event, [](std::uint64_t, const std::string&) {});
    }
    return found;
  }

  StudyPlace place;
};

const std::string kSeeds = "sweep: [{grid: {seed: [0, 1, 2]}}]\n";

std::string one_method(int steps) {
  return fmt::format(R"(  textual_inversion:
    base: {}/experiments/demo/base
    options: {{resolution: 32, embedding: {{max_train_steps: {}, train_batch_size: 2, learning_rate: 1e-2}}}})",
                     ATELIER_SOURCE_DIR, steps);
}

/// Long enough that a task is at it when something happens.
const std::string kLong = one_method(150);

/// The digests of the long study, by a local run.
const std::map<std::string, std::string>& long_study_alone() {
  static const auto published = [] {
    const StudyPlace alone(kLong);
    REQUIRE(alone.run().status == 0);
    return alone.published();
  }();
  return published;
}

void check_one_publication_each(const SlurmPlace& slurm) {
  const StoreFacts facts(slurm.place.store());
  for (const auto& [key, object] : slurm.place.published()) CHECK(facts.publications(key) == 1);
  CHECK(facts.divergences() == 0);
}

#define SKIP_WITHOUT_SLURM()                \
  Cluster* const cluster = Cluster::find(); \
  if (cluster == nullptr) return

}  // namespace

TEST_CASE("A study on two nodes leaves what a local run leaves, to the bit, and each stage is done once", "[slurm]") {
  SKIP_WITHOUT_SLURM();
  const SlurmPlace slurm(both_methods("1e-2"), kSeeds);
  const StudyPlace alone(both_methods("1e-2"), kSeeds);
  const auto submitted = slurm.submit();
  INFO(submitted.err);
  REQUIRE(submitted.status == 0);
  CHECK_THAT(submitted.out, Catch::Contains("4 tasks"));
  REQUIRE(cluster->wait_for_all());
  INFO(slurm.logs());
  CHECK_FALSE(fs::exists(slurm.place.store() + "/index.sqlite"));  // tasks open no database
  REQUIRE(alone.run().status == 0);
  CHECK(slurm.place.published() == alone.published());
  CHECK(slurm.place.ask("table", {"--as", "csv"}).out == alone.ask("table", {"--as", "csv"}).out);
  check_one_publication_each(slurm);
  CHECK_THAT(slurm.submit().out, Catch::Contains("nothing to do"));
}

TEST_CASE("A task that reaches its deadline saves, comes back and goes on to the same bits", "[slurm][requeue]") {
  SKIP_WITHOUT_SLURM();
  const SlurmPlace slurm(kLong, "", "time: 1\nmargin: 58\ntasks: 1\n");
  REQUIRE(slurm.submit().status == 0);
  REQUIRE(cluster->wait_for_all());
  INFO(slurm.logs());
  CHECK_THAT(slurm.logs(), Catch::Contains("to queue task"));
  CHECK(slurm.place.published() == long_study_alone());
  check_one_publication_each(slurm);
}

TEST_CASE("A worker that is killed costs its task a start, and nothing else", "[slurm][kill]") {
  SKIP_WITHOUT_SLURM();
  const SlurmPlace slurm(kLong, "");
  REQUIRE(slurm.submit().status == 0);
  REQUIRE(comes_true([&] { return !slurm.workers().empty(); }));
  REQUIRE(::kill(slurm.workers().front(), SIGKILL) == 0);
  REQUIRE(cluster->wait_for_all());
  INFO(slurm.logs());
  CHECK_THAT(slurm.logs(), Catch::Contains("killed by signal 9"));
  CHECK(slurm.place.published() == long_study_alone());
  check_one_publication_each(slurm);
}

TEST_CASE("stop takes a study out of the queue; what was saved is gone on with", "[slurm][stop]") {
  SKIP_WITHOUT_SLURM();
  const SlurmPlace slurm(kLong, "");
  REQUIRE(slurm.submit().status == 0);
  REQUIRE(comes_true([&] { return !slurm.workers().empty(); }));
  CHECK_THAT(slurm.place.ask("status").out, Catch::Contains("running"));
  CHECK_THAT(slurm.submit().out, Catch::Contains("nothing to submit"));
  const auto stopped = slurm.place.ask("stop");
  CHECK(stopped.status == 0);
  CHECK_THAT(stopped.out, Catch::Contains("tasks stopped; trainings are saved"));
  REQUIRE(comes_true([&] { return cluster->idle(); }));
  CHECK_THAT(slurm.place.ask("status").out, Catch::Contains("ended with results missing"));
  CHECK_THAT(slurm.place.ask("stop").out, Catch::Contains("none of its tasks"));
  REQUIRE(slurm.submit().status == 0);
  REQUIRE(cluster->wait_for_all());
  INFO(slurm.logs());
  CHECK(slurm.place.published() == long_study_alone());
}

TEST_CASE("A resubmission asks for what is missing alone; an array is as long as the site allows", "[slurm][array]") {
  SKIP_WITHOUT_SLURM();
  const SlurmPlace slurm(one_method(4), "sweep: [{grid: {seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}}]\n",
                         "time: 10\ntasks: 100\noptions: [--hold]\n");
  const auto submitted = slurm.submit();
  INFO(submitted.err);
  CHECK_THAT(submitted.out, Catch::Contains("8 tasks"));  // MaxArraySize of this cluster
  CHECK_THAT(slurm.submit().out, Catch::Contains("nothing to submit"));
  const std::string job = cluster->ask("squeue --noheader --me --format=%F | head -n 1 | tr -d '\\n'");
  cluster->ask(fmt::format("scancel {0}_0 && scontrol release {0}", job));
  REQUIRE(cluster->wait_for_all());
  slurm.write_profile("time: 10\ntasks: 100\n");
  CHECK_THAT(slurm.submit().out, Catch::Contains("tasks for"));
  REQUIRE(cluster->wait_for_all());
  INFO(slurm.logs());
  check_one_publication_each(slurm);
  CHECK_THAT(slurm.submit().out, Catch::Contains("nothing to do"));
}

TEST_CASE("What sbatch refuses is told in its words, with what to do, and leaves nothing", "[slurm][errors]") {
  SKIP_WITHOUT_SLURM();
  const SlurmPlace slurm(one_method(4), "", "time: 10\npartition: missing\n");
  const auto partition = slurm.submit();
  CHECK(partition.status == 1);
  CHECK_THAT(partition.err, Catch::Contains("sbatch, partition missing: ") && Catch::Contains("nvalid partition") &&
                                Catch::Contains("nothing was submitted; correct `partition` in the profile"));
  CHECK_THAT(slurm.place.ask("stop").out, Catch::Contains("none of its tasks"));
  slurm.write_profile("time: 10\noptions: ['--gres=quantum:1']\n");
  CHECK_THAT(slurm.submit().err, Catch::Contains("correct `gres` in the profile"));
  CHECK(cluster->idle());
}

TEST_CASE("A task that Slurm ends at its time limit has saved, and a resubmission goes on", "[.long][slurm][limit]") {
  SKIP_WITHOUT_SLURM();
  // sbatch takes the last --time: the task believes in ten minutes, Slurm ends it after one.
  const std::string more = "snapshot: {every_steps: 100000, every_seconds: 100000}\n";
  const SlurmPlace slurm(one_method(4000), more, "time: 10\nmargin: 1\noptions: [--time=1, '--signal=B:WINCH@1']\n");
  REQUIRE(slurm.submit().status == 0);
  REQUIRE(cluster->wait_for_all());
  CHECK_THAT(slurm.logs(), Catch::Contains("DUE TO TIME LIMIT"));
  CHECK_FALSE(fs::is_empty(slurm.place.store() + "/snapshots"));
  slurm.write_profile("time: 10\n");
  REQUIRE(slurm.submit().status == 0);
  REQUIRE((cluster->wait_for_all() || cluster->wait_for_all()));
  INFO(slurm.logs());
  const StudyPlace alone(one_method(4000), more);
  REQUIRE(alone.run().status == 0);
  CHECK(slurm.place.published() == alone.published());
}
