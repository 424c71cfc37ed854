#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/framework/worker/jobs.h"
#include "tests/framework/worker/worker_client.h"
#include "tests/support/catch_torch.h"

namespace {

using namespace atelier;
using Catch::Contains;

void check_refused(WorkerClient& worker, const Json& job, const std::string& kind, const std::string& part) {
  const auto events = worker.run(job);
  CAPTURE(events.back().dump());
  REQUIRE(events.back()["event"] == "failed");
  CHECK(events.back()["class"] == kind);
  CHECK_THAT(events.back()["error"]["text"].get<std::string>(), Contains(part));
  CHECK(events.back()["error"]["where"].get<std::string>().size() > 0);
}

}  // namespace

TEST_CASE("A job that cannot be done fails in words, and the next one is done", "[worker][serve]") {
  const Workplace place;
  WorkerClient worker;
  const Json good = place.sample(nullptr, {"a cat"}, {1});
  Json bad = place.sample(nullptr, {"a dog"}, {1});
  SECTION("no such base model") {
    bad["base"]["model"] = place.path("nothing").string();
    check_refused(worker, bad, "configuration", "nothing");
  }
  SECTION("no such plugin") {
    bad["plugin"] = place.path("no.so").string();
    check_refused(worker, bad, "configuration", "no.so: no such file");
  }
  SECTION("an artifact that nobody made") {
    bad["artifact"] = std::string(64, 'a');
    check_refused(worker, bad, "configuration", "nothing under this key");
  }
  SECTION("a size without whole latents") {
    bad["size"] = {33, 32};
    check_refused(worker, bad, "configuration", "33x32");
  }
  SECTION("another kind of job") {
    bad["job"] = "dance";
    check_refused(worker, bad, "configuration", "expected train, merge, generate, sample, given, mask or score");
  }
  SECTION("a key that is missing") {
    bad.erase("sampler");
    check_refused(worker, bad, "configuration", "job: sampler");
  }
  SECTION("no outputs") {
    bad["outputs"] = Json::array();
    check_refused(worker, bad, "configuration", "job: outputs");
  }
  SECTION("no pictures to score") {
    check_refused(worker, place.score(bad), "configuration", "nothing under this key");
  }
  const auto events = worker.run(good);
  CAPTURE(events.back().dump());
  CHECK(events.back()["event"] == "finished");
}

TEST_CASE("A line that is no job is answered and forgotten", "[worker][serve]") {
  WorkerClient worker;
  for (const std::string line : {"hello", "[1]", "3", "{}"}) {
    CAPTURE(line);
    worker.send_line(line);
    CHECK(worker.next()["event"] == (line == "hello" ? "failed" : "started"));
    if (line != "hello") CHECK(worker.next()["event"] == "failed");
  }
  worker.close_input();
  CHECK(worker.next().is_null());
  CHECK(worker.wait() == 0);
}

TEST_CASE("A failed attempt is recorded with its class", "[worker][serve]") {
  const Workplace place;
  WorkerClient worker;
  Json bad = place.sample(nullptr, {"a dog"}, {1});
  bad["base"]["model"] = place.path("nothing").string();
  (void)worker.run(bad);
  const auto ends = spool_events(place.store(), "attempt_end");
  REQUIRE(ends.size() == 1);
  CHECK(ends.front()["status"] == "failed");
  CHECK(ends.front()["class"] == "configuration");
  CHECK(ends.front()["attempt"] == bad["attempt"]);
}

TEST_CASE("An idle worker leaves on a signal with 3", "[worker][serve]") {
  WorkerClient worker;
  worker.signal(SIGINT);
  CHECK(worker.next().is_null());
  CHECK(worker.wait() == 3);
}

TEST_CASE("Two workers with one job: one does it, the other skips it", "[worker][serve]") {
  const Workplace place;
  WorkerClient first, second;
  const Json job = place.sample(nullptr, {"a cat", "a dog"}, {1, 2, 3, 4});
  first.send(job);
  second.send(job);
  std::size_t skipped = 0;
  for (auto* worker : {&first, &second}) {
    Json last;
    do {
      last = worker->next();
    } while (last["event"] != "finished" && last["event"] != "failed");
    REQUIRE(last["event"] == "finished");
    skipped += last["skipped"].size();
  }
  CHECK(skipped == 2);
  CHECK(spool_events(place.store(), "published").size() == 2);
  CHECK(spool_events(place.store(), "divergence").empty());
}
