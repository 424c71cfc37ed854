#include "framework/plan/remaining.h"

#include <catch2/catch.hpp>

#include "framework/plan/estimate.h"
#include "framework/store/release.h"
#include "framework/store/spool.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

/// Two trainings, their pictures and scores, run by run: 0 train, 1 sample, 2 score; 3, 4, 5.
struct Plan {
  Json manifest{{"keep", "until_scored"}, {"placement", {{"slots", 1}}}, {"jobs", Json::array()}};
  std::vector<std::string> keys;

  explicit Plan(int runs = 2) {
    for (int run = 0; run < runs; ++run) {
      const auto trained = add(run, "train", {{"step", 10}}, {});
      const auto drawn = add(run, "sample", {{"artifact", trained}, {"seeds", {1, 2}}}, {3 * run});
      add(run, "score", {{"sets", {{{"images", drawn}}}}}, {3 * run + 1});
    }
  }

  std::string add(int run, const std::string& kind, Json description, const std::vector<int>& needs) {
    description["kind"] = kind;
    description["run"] = run;
    keys.push_back(key_of(description));
    Json& jobs = manifest["jobs"];
    jobs.push_back({{"id", jobs.size()},
                    {"kind", kind},
                    {"needs", needs},
                    {"runs", {"run" + std::to_string(run)}},
                    {"outputs", {{{"key", keys.back()}, {"description", description}}}}});
    return keys.back();
  }

  void publish(const Store& store, std::size_t job, int bytes = 100) const {
    const Json& output = manifest["jobs"][job]["outputs"][0];
    Spool spool(store);
    const auto text = manifest["jobs"][job]["kind"] == "score" ? "{}" : keys[job];  // the index reads scores
    (void)store.publish({keys[job],
                         output["description"],
                         store.put(text + std::string(static_cast<std::size_t>(bytes), ' ')),
                         {{"bytes", bytes}},
                         {}});
    const std::string attempt = keys[job];
    spool.write({{"type", "attempt"}, {"attempt", attempt}, {"job_keys", {keys[job]}}, {"kind", "train"}});
    spool.write({{"type", "attempt_end"}, {"attempt", attempt}, {"status", "done"}, {"seconds", 1.0}});
  }

  void release(const Store& store, const std::set<std::string>& which) const {
    (void)Releaser(store).release(which, [](const std::string&) { return true; });
  }
};

std::vector<std::int64_t> ids(const WorkToDo& work) {
  std::vector<std::int64_t> found;
  for (const auto& [id, outputs] : work) found.push_back(id);
  return found;
}

}  // namespace

TEST_CASE("What was released is made again only for what needs it", "[plan][keep]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const Plan plan;
  CHECK(ids(work_to_do(plan.manifest, store)) == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5});
  for (const std::size_t job : {0u, 1u, 2u, 3u, 4u}) plan.publish(store, job);
  CHECK(ids(work_to_do(plan.manifest, store)) == std::vector<std::int64_t>{5});
  plan.release(store, {plan.keys[0], plan.keys[1]});
  CHECK(ids(work_to_do(plan.manifest, store)) == std::vector<std::int64_t>{5});
  plan.release(store, {plan.keys[3]});  // pictures are there: nobody needs what they were made from
  CHECK(ids(work_to_do(plan.manifest, store)) == std::vector<std::int64_t>{5});
  plan.release(store, {plan.keys[4]});
  CHECK(ids(work_to_do(plan.manifest, store)) == std::vector<std::int64_t>{3, 4, 5});
  plan.publish(store, 5);
  CHECK(work_to_do(plan.manifest, store).empty());
}

TEST_CASE("until_scored needs pictures and checkpoints until all their scores are there", "[plan][keep]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Plan plan;
  const auto second = plan.add(0, "score", {{"sets", {{{"images", plan.keys[1]}}}}, {"other", true}}, {1});
  for (const std::size_t job : {0u, 1u, 2u}) plan.publish(store, job);
  const KeepPolicy policy(plan.manifest);
  CHECK(policy.releases());
  CHECK(policy.needs(plan.keys[0], store));
  CHECK(policy.needs(plan.keys[1], store));
  plan.publish(store, 6);
  CHECK_FALSE(policy.needs(plan.keys[0], store));
  CHECK_FALSE(policy.needs(plan.keys[1], store));
  CHECK(policy.needs(plan.keys[2], store));  // a score
  CHECK(policy.needs(plan.keys[4], store));  // another run's
  CHECK_FALSE(policy.needs(std::string(64, '0'), store));
  CHECK(policy.behind(second) == std::set<std::string>{plan.keys[0], plan.keys[1]});
  const KeepPolicy all(plan.manifest, "all");
  CHECK(all.needs(plan.keys[0], store));
  CHECK_FALSE(all.releases());
}

TEST_CASE("small lets large checkpoints go, and neither small ones nor pictures", "[plan][keep]") {
  const KeepPolicy small(Plan().manifest, "small");
  CHECK(small.lets_go("train", 3'400'000'000));
  CHECK(small.lets_go("merge", 60'000'000));
  CHECK_FALSE(small.lets_go("train", 3'000'000));
  CHECK_FALSE(small.lets_go("sample", 3'400'000'000));
  CHECK_FALSE(small.lets_go("score", 3'400'000'000));
}

TEST_CASE("The estimate of the disk is what the policy leaves there at a time", "[plan][keep][estimate]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Plan plan(11);
  plan.publish(store, 0, 3000);
  plan.publish(store, 1, 1000);
  plan.publish(store, 2, 10);
  Index index(store);
  CHECK(estimate(plan.manifest, store, index).bytes == 10 * 10 + 2 * 4000);
  plan.manifest["placement"]["slots"] = 3;
  CHECK(estimate(plan.manifest, store, index).bytes == 10 * 10 + 4 * 4000);
  plan.manifest["keep"] = "small";  // 3 kB are not much
  CHECK(estimate(plan.manifest, store, index).bytes == 10 * 4010);
  plan.manifest["keep"] = "all";
  CHECK(estimate(plan.manifest, store, index).bytes == 10 * 4010);
}
