// A whole cell of a study in one worker: train, sample, score; and again.
#include <nlohmann/json.hpp>

#include "framework/worker/artifact_object.h"
#include "framework/worker/image_set.h"
#include "tests/framework/worker/jobs.h"
#include "tests/framework/worker/worker_client.h"
#include "tests/support/catch_torch.h"

namespace {

using namespace atelier;

Json skipped_keys(const Json& job) {
  Json keys = Json::array();
  for (const auto& output : job["outputs"]) keys.push_back(output["key"]);
  return keys;
}

void check_done(WorkerClient& worker, const Json& job) {
  const auto events = worker.run(job);
  CAPTURE(events.back().dump());
  REQUIRE(events.back()["event"] == "finished");
  CHECK(events.front()["event"] == "started");
  CHECK(events.back()["job"] == job["id"]);
  CHECK(events.back()["skipped"].empty());
}

void check_skipped(WorkerClient& worker, const Json& job) {
  const auto events = worker.run(job);
  REQUIRE(events.size() == 2);  // started, finished: nothing was done
  CHECK(events.back()["event"] == "finished");
  CHECK(events.back()["skipped"] == skipped_keys(job));
}

void check_training(const Workplace& place, const Json& job) {
  const auto first = worker::ArtifactObject::read(place.object_of(key_of_output(job, 0)));
  const auto last = worker::ArtifactObject::read(place.object_of(key_of_output(job, 2)));
  CHECK(first.artifact.step == 0);
  CHECK(last.artifact.step == 12);
  CHECK(last.method == "textual_inversion");
  const std::string name = "text_encoder.token.<krk>";
  REQUIRE(last.artifact.tensors.contains(name));
  CHECK_FALSE(last.artifact.tensors.at(name).equal(first.artifact.tensors.at(name)));

  const auto record = place.store().find(key_of_output(job, 2));
  const Json& summary = record->summary;
  CHECK(summary["steps"] == 12);
  CHECK(summary["trained_parameters"] == last.artifact.tensors.at(name).numel());
  CHECK(summary["eval_loss_before"].is_number());
  CHECK(summary["eval_loss_after"] != summary["eval_loss_before"]);
  CHECK(summary["bytes"].get<std::size_t>() == std::filesystem::file_size(place.object_of(key_of_output(job, 2))));
  const Json losses = read_json_file(place.store().object_path(summary["losses"].get<std::string>()));
  CHECK(losses["schema"] == "atelier.losses/1");
  CHECK(losses["loss"].size() == 12);
  CHECK(losses["step"].back() == 12);
  CHECK(losses["loss"].back() == summary["final_loss"]);
  CHECK_FALSE(std::filesystem::exists(place.store().snapshot_path(record->key)));
}

void check_scores(const Workplace& place, const Json& job, std::size_t images) {
  const Json table = read_json_file(place.object_of(key_of_output(job, 0)));
  CHECK(table["schema"] == "atelier.scoretable/1");
  REQUIRE(table["images"].size() == images);
  CHECK(table["images"][0]["seed"] == 11);
  CHECK(table["images"][0]["pair_scores"]["clip"].size() == table["references"].size());
  CHECK(table["images"][0]["status"] == "ok");
  CHECK(table["sets"][0]["text"] == "A photo of");
  CHECK(table["sets"][0]["scores"]["clip_i"].is_number());
  CHECK(table["anchors"]["clip_i_all"].is_number());
}

}  // namespace

TEST_CASE("A worker trains, samples and scores, and the second time skips it all", "[worker][study]") {
  REQUIRE(has_textual_inversion());
  const Workplace place;
  WorkerClient worker;
  const Json train = place.train({0, 6, 12});
  check_done(worker, train);
  check_training(place, train);

  const Json sample = place.sample(key_of_output(train, 2), {"a photo of <krk>", "<krk> on the moon"}, {11, 12, 13});
  check_done(worker, sample);
  CHECK(worker::ImageSet::open(place.object_of(key_of_output(sample, 1))).entries().size() == 3);

  const Json score = place.score(sample);
  check_done(worker, score);
  check_scores(place, score, 6);

  for (const auto& job : {train, sample, score}) check_skipped(worker, job);
  CHECK(spool_events(place.store(), "attempt").size() == 3);
  CHECK(spool_events(place.store(), "published").size() == 6);
  const auto ends = spool_events(place.store(), "attempt_end");
  REQUIRE(ends.size() == 3);
  for (const auto& end : ends) CHECK(end["status"] == "done");
  worker.close_input();
  CHECK(worker.wait() == 0);
}

TEST_CASE("Of a job that is half done only the missing half is made", "[worker][study]") {
  const Workplace place;
  WorkerClient worker;
  const Json whole = place.sample(nullptr, {"a cat", "a dog"}, {1});
  Json half = whole;
  half["outputs"].erase(1);
  check_done(worker, half);
  const auto events = worker.run(whole);
  REQUIRE(events.back()["event"] == "finished");
  CHECK(events.back()["skipped"] == Json::array({key_of_output(whole, 0)}));
  CHECK(place.store().find(key_of_output(whole, 1)).has_value());
}
