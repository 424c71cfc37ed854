#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/image/decode.h"
#include "framework/image/encode.h"
#include "framework/worker/image_set.h"
#include "tests/framework/worker/jobs.h"
#include "tests/framework/worker/worker_client.h"
#include "tests/support/catch_torch.h"

namespace {

using namespace atelier;

std::vector<Image> pictures_of(const Workplace& place, const Json& job) {
  const auto set = worker::ImageSet::open(place.object_of(key_of_output(job, 0)));
  std::vector<Image> images;
  for (const auto& entry : set.entries()) images.push_back(decode(entry.bytes, entry.name).image);
  return images;
}

std::vector<Image> sampled(WorkerClient& worker, const Workplace& place, const Json& job) {
  const auto events = worker.run(job);
  CAPTURE(events.back().dump());
  REQUIRE(events.back()["event"] == "finished");
  return pictures_of(place, job);
}

/// What `atelier sample --seed N -n 1` writes: the job that the command makes.
Image single_picture(const Workplace& place, const Json& like, const std::string& artifact, std::int64_t seed) {
  const auto out = place.path("out").string();
  Json job{{"job", "sample"},
           {"model", like["base"]["model"]},
           {"prompts", {like["outputs"][0]["text"]}},
           {"images", 1},
           {"seed", seed},
           {"steps", like["sampler"]["steps"]},
           {"guidance", like["sampler"]["guidance"]},
           {"scheduler", like["sampler"]["scheduler"]},
           {"size", like["size"]},
           {"threads", 1},
           {"out", out}};
  if (!artifact.empty()) job["artifacts"] = {{{"path", artifact}, {"weight", 1.0}}};
  write_file_atomically(place.path("job.json"), job.dump());
  REQUIRE(run_worker_job(place.path("job.json").string()) == 0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(out)) {
    if (entry.path().extension() == ".png") return load_image(entry.path(), {});
  }
  throw std::runtime_error("no picture");
}

}  // namespace

TEST_CASE("A picture depends on its seed alone, not on its place or on what else is wanted", "[worker][sample]") {
  const Workplace place;
  WorkerClient worker;
  const auto three = sampled(worker, place, place.sample(nullptr, {"a cat"}, {5, 6, 7}));
  const auto moved = sampled(worker, place, place.sample(nullptr, {"a cat"}, {7, 5}));
  REQUIRE(three.size() == 3);
  REQUIRE(moved.size() == 2);
  CHECK((moved[0] == three[2]));
  CHECK((moved[1] == three[0]));
  CHECK_FALSE((three[0] == three[1]));
}

// On the pocket world's base: in a model as narrow as the tiny one, where a row falls in a kernel's tile may show in
// the last bit.
TEST_CASE("Prompts share batches, and each has the pictures that it has alone", "[worker][sample]") {
  const auto with_pocket_base = [](Json job) {
    job["base"]["model"] = ATELIER_SOURCE_DIR "/experiments/pocket/base";
    job["size"] = {64, 64};
    return job;
  };
  const Workplace together, apart;
  WorkerClient worker;
  const std::vector<std::string> prompts{"a red cat", "a dog in the snow", "a photo of a boat"};
  const Json three = with_pocket_base(together.sample(nullptr, prompts, {5, 6}, /*batch=*/4));  // the boat's lie alone
  (void)sampled(worker, together, three);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const Json alone = with_pocket_base(apart.sample(nullptr, {prompts[i]}, {5, 6}, 4));
    (void)sampled(worker, apart, alone);
    CHECK(together.store().find(key_of_output(three, i))->object ==
          apart.store().find(key_of_output(alone, 0))->object);
  }
}

TEST_CASE("atelier sample --seed N gives the picture of a study again", "[worker][sample]") {
  REQUIRE(has_textual_inversion());
  const Workplace place;
  WorkerClient worker;
  const Json train = place.train({4});
  REQUIRE(worker.run(train).back()["event"] == "finished");
  const Json job = place.sample(key_of_output(train, 0), {"a photo of <krk>"}, {21, 22, 23});
  const auto images = sampled(worker, place, job);
  CHECK((single_picture(place, job, place.object_of(key_of_output(train, 0)).string(), 23) == images[2]));
}

TEST_CASE("The files say what they show, and equal jobs give equal bytes", "[worker][sample]") {
  const Workplace first, second;
  WorkerClient worker;
  const Json job = first.sample(nullptr, {"a cat"}, {5});
  (void)sampled(worker, first, job);
  (void)sampled(worker, second, second.sample(nullptr, {"a cat"}, {5}));
  const auto key = key_of_output(job, 0);
  CHECK(first.store().find(key)->object == second.store().find(key)->object);
  const auto set = worker::ImageSet::open(first.object_of(key));
  const auto texts = read_png_text(set.entries().front().bytes, "000.png");
  REQUIRE(texts.size() == 1);
  const Json about = Json::parse(texts.front().text);
  CHECK(about["prompt"] == "a cat");
  CHECK(about["seed"] == 5);
  CHECK(about["key"] == key);
}
