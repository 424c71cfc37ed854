#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "framework/core/error.h"
#include "framework/execute/execute.h"
#include "framework/store/gc.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

struct Seen final : ExecuteObserver {
  std::vector<std::string> events;
  std::function<void()> on_progress;
  void started(const Json& job, std::size_t number, std::size_t total) override {
    events.push_back(fmt::format("started {} {}/{}", job.at("id").dump(), number, total));
  }
  void progressed(const Json&, const Json&) override {
    if (on_progress) on_progress();
  }
  void finished(const Json& job, const Json&) override { events.push_back("finished " + job.at("id").dump()); }
  void failed(const JobFailure& failure) override {
    events.push_back(fmt::format("failed {} {}", failure.job, failure.failure));
  }
};

Json job(int id, std::vector<int> needs, const std::string& act = "") {
  const Json description{{"kind", "train"}, {"number", id}};
  return {{"id", id},
          {"kind", "train"},
          {"needs", needs},
          {"runs", {fmt::format("run{}", id)}},
          {"base", "b"},
          {"outputs", {{{"key", key_of(description)}, {"description", description}}}},
          {"job", {{"act", act}}}};
}

Json manifest(std::vector<Json> jobs) { return {{"jobs", jobs}}; }

ExecuteResult run(const Json& plan, const Store& store, Seen& seen) {
  return execute(plan, store, ATELIER_SCRIPTED_WORKER, seen);
}

}  // namespace

TEST_CASE("Every job is done once, and a second call does nothing", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto plan = manifest({job(0, {}), job(1, {0}), job(2, {1})});
  Seen first, second;
  const auto done = run(plan, store, first);
  CHECK(done.done == 3);
  CHECK(done.failures.empty());
  CHECK(first.events.size() == 6);
  const auto again = run(plan, store, second);
  CHECK(again.done == 0);
  CHECK(again.skipped == 3);
  CHECK(second.events.empty());
}

TEST_CASE("Nothing is removed from the store while a plan is worked on, also between two jobs", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto stray = store.put("no key leads here");
  Seen seen;
  int refused = 0;
  seen.on_progress = [&] {
    CHECK_THROWS_WITH(collect_garbage(store, false), Catch::Contains("another process works in this store"));
    ++refused;
  };
  CHECK(run(manifest({job(0, {}), job(1, {0})}), store, seen).done == 2);
  CHECK(refused == 2);
  CHECK(store.has_object(stray));
  CHECK(collect_garbage(store, false).removed.size() > 0);
}

TEST_CASE("A plan that is there already is looked up under the lock of use too", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto plan = manifest({job(0, {}), job(1, {}, "fail")});
  Seen first, second;
  CHECK(run(plan, store, first).done == 1);
  std::optional<KeyLock> gc = store.lock_against_use();
  REQUIRE(gc);
  // As gc would: it has read the manifests, and removes what the plan is about to count as done.
  std::jthread removing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::filesystem::remove(store.root() / "keys" /
                            (plan["jobs"][0]["outputs"][0]["key"].get<std::string>() + ".json"));
    gc.reset();
  });
  const auto result = run(plan, store, second);
  CHECK(result.skipped == 0);
  CHECK(result.done == 1);
}

TEST_CASE("A job that fails stops what needs it, and its siblings go on", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Seen seen;
  const auto result = run(manifest({job(0, {}, "fail"), job(1, {0}), job(2, {}), job(3, {2})}), store, seen);
  REQUIRE(result.failures.size() == 1);
  CHECK(result.failures[0].failure == "method");
  CHECK(result.failures[0].text == "the loss is not finite");
  CHECK(result.failures[0].runs == std::vector<std::string>{"run0"});
  CHECK(result.blocked == 1);
  CHECK(result.done == 2);
}

TEST_CASE("A worker that is killed fails one job and is replaced", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Seen seen;
  const auto result = run(manifest({job(0, {}, "die"), job(1, {}), job(2, {})}), store, seen);
  REQUIRE(result.failures.size() == 1);
  CHECK(result.failures[0].failure == "node");
  CHECK_THAT(result.failures[0].text, Catch::Contains("signal 9"));
  CHECK(result.done == 2);
}

TEST_CASE("A job that another process is at comes after all others", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto plan = manifest({job(0, {}), job(1, {}), job(2, {1})});
  const auto theirs = store.lock(plan["jobs"][0]["outputs"][0]["key"].get<std::string>(), false);
  REQUIRE(theirs);
  Seen seen;
  CHECK(run(plan, store, seen).done == 3);
  CHECK(seen.events == std::vector<std::string>{"started 1 1/3", "finished 1", "started 2 2/3", "finished 2",
                                                "started 0 3/3", "finished 0"});
}

TEST_CASE("What another process publishes meanwhile is not done again", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto plan = manifest({job(0, {}), job(1, {0}), job(2, {1})});
  Seen seen;
  seen.on_progress = [&] {
    const Json& output = plan["jobs"][1]["outputs"][0];
    CHECK(store.publish({output["key"], output["description"], store.put("theirs"), Json::object(), {}}));
  };
  const auto result = run(plan, store, seen);
  CHECK(result.done == 2);
  CHECK(result.skipped == 1);
  CHECK(seen.events == std::vector<std::string>{"started 0 1/3", "finished 0", "started 2 2/2", "finished 2"});
}

TEST_CASE("An interrupt lets the worker save and ends the call", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Seen seen;
  seen.on_progress = [] { ::kill(::getpid(), SIGTERM); };
  const auto result = run(manifest({job(0, {}, "linger"), job(1, {})}), store, seen);
  CHECK(result.interrupted);
  CHECK(result.done == 0);
  CHECK(result.failures.empty());
  CHECK(seen.events == std::vector<std::string>{"started 0 1/2"});
}

TEST_CASE("Several slots work at the same time, in the order that needs allow", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Seen seen;
  // 0 and 1 wait for each other's sign in the store's folder: one worker alone would never end
  const auto meet = [&](int id, int other) {
    Json each = job(id, {}, "meet");
    each["job"]["own"] = (folder / std::to_string(id)).string();
    each["job"]["other"] = (folder / std::to_string(other)).string();
    return each;
  };
  const auto result =
      execute(manifest({meet(0, 1), meet(1, 0), job(2, {0, 1})}), store, ATELIER_SCRIPTED_WORKER, seen, {.slots = 2});
  CHECK(result.done == 3);
  REQUIRE(seen.events.size() == 6);
  CHECK(seen.events[4] == "started 2 3/3");
  CHECK(seen.events[5] == "finished 2");
}

TEST_CASE("A worker that is killed in one slot leaves the others alone", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Seen seen;
  const auto plan = manifest({job(0, {}, "die"), job(1, {}), job(2, {}), job(3, {0})});
  const auto result = execute(plan, store, ATELIER_SCRIPTED_WORKER, seen, {.slots = 3});
  REQUIRE(result.failures.size() == 1);
  CHECK(result.done == 2);
  CHECK(result.blocked == 1);
}

TEST_CASE("An interrupt lets the workers of all slots save", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Seen seen;
  int lingering = 0;
  seen.on_progress = [&] {
    if (++lingering == 2) ::kill(::getpid(), SIGTERM);
  };
  const auto plan = manifest({job(0, {}, "linger"), job(1, {}, "linger"), job(2, {})});
  const auto result = execute(plan, store, ATELIER_SCRIPTED_WORKER, seen, {.slots = 2});
  CHECK(result.interrupted);
  CHECK(result.done == 0);
  CHECK(result.failures.empty());
  CHECK(seen.events == std::vector<std::string>{"started 0 1/3", "started 1 2/3"});
}

TEST_CASE("A worker program that is not there is an error that says what to do", "[execute]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Seen seen;
  CHECK_THROWS_WITH(execute(manifest({job(0, {})}), store, folder / "none", seen), Catch::Contains("ATELIER_WORKER"));
}
