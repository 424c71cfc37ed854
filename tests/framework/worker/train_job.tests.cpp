// Training that is killed, stopped, or cut off from its input goes on where it was and ends with the same bits.
#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/framework/worker/jobs.h"
#include "tests/framework/worker/worker_client.h"
#include "tests/support/catch_torch.h"

namespace {

using namespace atelier;

constexpr std::int64_t kSteps = 120;

/// The digest that undisturbed training gives.
std::string undisturbed() {
  const Workplace place;
  WorkerClient worker;
  const Json job = place.train({kSteps});
  const auto events = worker.run(job);
  if (events.back()["event"] != "finished") throw std::runtime_error(events.back().dump());
  return place.store().find(key_of_output(job, 0))->object;
}

void check_continues(const Workplace& place, const Json& job) {
  REQUIRE(std::filesystem::exists(place.store().snapshot_path(key_of_output(job, 0))));
  WorkerClient worker;
  const auto events = worker.run(job);
  CAPTURE(events.back().dump());
  REQUIRE(events.back()["event"] == "finished");
  for (const auto& event : events) {  // it did not begin again
    if (event["event"] == "progress") CHECK(event["done"].get<std::int64_t>() >= 5);
  }
  const auto record = place.store().find(key_of_output(job, 0));
  static const std::string expected = undisturbed();
  CHECK(record->object == expected);
  const Json losses = read_json_file(place.store().object_path(record->summary["losses"].get<std::string>()));
  CHECK(losses["loss"].size() == kSteps);
  CHECK(record->summary["eval_loss_before"].is_number());
}

}  // namespace

TEST_CASE("A worker killed while training leaves a state from which the same artifact comes", "[worker][train]") {
  REQUIRE(has_textual_inversion());
  const Workplace place;
  const Json job = place.train({kSteps});
  {
    WorkerClient worker;
    worker.run_until(job, 20);
    worker.signal(SIGKILL);
    CHECK(worker.wait() == 128 + SIGKILL);
  }
  check_continues(place, job);
}

TEST_CASE("A worker asked to stop saves its training, says so and exits with 3", "[worker][train]") {
  REQUIRE(has_textual_inversion());
  const Workplace place;
  const Json job = place.train({kSteps});
  {
    WorkerClient worker;
    worker.run_until(job, 20);
    SECTION("by SIGTERM") { worker.signal(SIGTERM); }
    SECTION("by the end of its input") { worker.close_input(); }
    Json last;
    for (auto event = worker.next(); !event.is_null(); event = worker.next()) last = event;
    CHECK(last["event"] == "failed");
    CHECK(last["class"] == "interrupted");
    CHECK(worker.wait() == 3);
  }
  const auto ends = spool_events(place.store(), "attempt_end");
  REQUIRE(ends.size() == 1);
  CHECK(ends.front()["status"] == "interrupted");
  check_continues(place, job);
}

TEST_CASE("Previews change nothing of what is trained", "[worker][train]") {
  REQUIRE(has_textual_inversion());
  const Workplace plain, watched;
  const Json job = plain.train({8});
  Json with_preview = watched.train({8});
  with_preview["preview"] = {{"every", 4}, {"prompts", {"a photo of <krk>"}}};
  WorkerClient worker;
  REQUIRE(worker.run(job).back()["event"] == "finished");
  const auto events = worker.run(with_preview);
  CAPTURE(events.back().dump());
  REQUIRE(events.back()["event"] == "finished");
  const auto key = key_of_output(job, 0);
  CHECK(plain.store().find(key)->object == watched.store().find(key)->object);
  CHECK(std::filesystem::exists(watched.store().root() / "previews" / key / "000004_00.png"));
  CHECK(std::filesystem::exists(watched.store().root() / "previews" / key / "000008_00.png"));
}

TEST_CASE("A step that is asked for later is trained anew, whatever snapshot is left", "[worker][train]") {
  REQUIRE(has_textual_inversion());
  const Workplace place;
  const Json job = place.train({kSteps});
  {
    WorkerClient worker;
    worker.run_until(job, 20);
    worker.signal(SIGKILL);
    (void)worker.wait();
  }
  Json more = place.train({3, kSteps});
  WorkerClient worker;
  const auto events = worker.run(more);
  CAPTURE(events.back().dump());
  REQUIRE(events.back()["event"] == "finished");
  CHECK(place.store().find(key_of_output(more, 0))->summary["steps"] == 3);
}
