#include "framework/plan/estimate.h"

#include <catch2/catch.hpp>

#include "framework/core/error.h"
#include "framework/store/spool.h"
#include "framework/store/store.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

Json trained_to(int step, const char* stage = "ut") {
  return {{"kind", "train"}, {"method", "m"}, {"stage", stage}, {"step", step}};
}

Json pictures_of(int count, const char* prompt) {
  return {{"kind", "sample"},
          {"method", "m"},
          {"prompt", prompt},
          {"seeds", std::vector<int>(static_cast<std::size_t>(count), 1)}};
}

Json job_with(int id, const std::vector<Json>& descriptions) {
  Json outputs = Json::array();
  for (const auto& each : descriptions) outputs.push_back({{"key", key_of(each)}, {"description", each}});
  return {{"id", id}, {"kind", descriptions.front()["kind"]}, {"outputs", outputs}};
}

/// What was done in one attempt of so many seconds.
void was_done(const Store& store, const std::vector<Json>& descriptions, double seconds, int bytes) {
  Spool spool(store);
  Json keys = Json::array();
  for (const auto& each : descriptions) {
    (void)store.publish({key_of(each), each, store.put(each.dump()), {{"bytes", bytes}}, {}});
    keys.push_back(key_of(each));
  }
  const std::string attempt = keys[0];
  spool.write({{"type", "attempt"}, {"attempt", attempt}, {"job_keys", keys}, {"kind", "train"}});
  spool.write({{"type", "attempt_end"}, {"attempt", attempt}, {"status", "done"}, {"seconds", seconds}});
}

}  // namespace

TEST_CASE("Time and disk of what is to be done are those of jobs like it, by steps and pictures", "[plan][estimate]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  was_done(store, {trained_to(5), trained_to(10)}, 20.0, 100);           // 2 s a step
  was_done(store, {pictures_of(3, "a"), pictures_of(1, "b")}, 8.0, 50);  // 2 s a picture
  Index index(store);
  const Json manifest{{"jobs",
                       {job_with(0, {trained_to(10)}),                            // is there
                        job_with(1, {trained_to(15), trained_to(30)}),            // 60 s, two of 100 bytes
                        job_with(2, {pictures_of(4, "c"), pictures_of(4, "d")}),  // 16 s, two of 50 bytes
                        job_with(3, {trained_to(10, "other")})}}};                // nothing like it
  const Estimate left = estimate(manifest, store, index);
  CHECK(left.seconds == Approx(76.0));
  CHECK(left.bytes == 300);
  CHECK(left.jobs == 3);
  CHECK(left.unmeasured == 1);
}

TEST_CASE("What cannot fit on the disk is refused with both numbers", "[plan][estimate]") {
  CHECK_NOTHROW(check_fits({.bytes = 1'000'000}, 1'000'000, "store"));
  CHECK_THROWS_WITH(check_fits({.bytes = 3'200'000'000}, 1'100'000'000, "store"),
                    Catch::Contains("3.2 GB") && Catch::Contains("1.1 GB") && Catch::Contains("store"));
}

TEST_CASE("Times and sizes are told in the unit that suits them", "[plan][estimate]") {
  CHECK(duration_text(42) == "42 s");
  CHECK(duration_text(720) == "12 min");
  CHECK(duration_text(12600) == "3.5 h");
  CHECK(bytes_text(34248) == "34 kB");
  CHECK(bytes_text(3.2e9) == "3.2 GB");
}
