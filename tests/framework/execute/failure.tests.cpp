#include "framework/execute/failure.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/execute/execute.h"
#include "framework/store/store.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

struct Failures final : ExecuteObserver {
  std::vector<std::string> failed_as, retried_as;
  void started(const Json&, std::size_t number, std::size_t total) override { CHECK(number <= total); }
  void progressed(const Json&, const Json&) override {}
  void finished(const Json&, const Json&) override {}
  void failed(const JobFailure& failure) override { failed_as.push_back(failure.failure); }
  void retried(const JobFailure& failure) override { retried_as.push_back(failure.failure); }
};

class Failing {
 public:
  Json& add(const Json& work, const char* kind = "train") {
    const auto id = jobs_.size();
    const Json description{{"kind", kind}, {"number", id}};
    jobs_.push_back({{"id", id},
                     {"kind", kind},
                     {"needs", Json::array()},
                     {"runs", {"run" + std::to_string(id)}},
                     {"base", "b"},
                     {"outputs", {{{"key", key_of(description)}, {"description", description}}}},
                     {"job", work}});
    return jobs_.back();
  }
  void add_failure(const char* failure, const std::string& text) {
    add({{"act", "fail_as"}, {"class", failure}, {"text", text}});
  }
  ExecuteResult run(const ExecuteOptions& options = {}) {
    return execute({{"jobs", jobs_}}, store, ATELIER_SCRIPTED_WORKER, seen, options);
  }

  TemporaryFolder folder;
  Store store = Store::create_or_open(folder / "store");
  Failures seen;

 private:
  Json jobs_ = Json::array();
};

}  // namespace

TEST_CASE("A node's fault is tried twice again, a lack of memory once, the rest not", "[execute][failure]") {
  Failing study;
  for (const char* each : {"node", "resource", "method", "configuration"}) study.add_failure(each, each);
  study.add({});
  const auto result = study.run();
  CHECK(result.failures.size() == 4);
  CHECK(result.done == 1);
  CHECK(study.seen.retried_as == std::vector<std::string>{"node", "node", "resource"});
}

TEST_CASE("What is tried again is given to a new worker, and may succeed there", "[execute][failure]") {
  Failing study;
  const std::string mark = study.folder / "mark";
  study.add({{"act", "fail_once"}, {"class", "resource"}, {"mark", mark}});
  const auto result = study.run();
  CHECK(result.failures.empty());
  CHECK(result.done == 1);
  CHECK(read_text_file(mark) != read_text_file(mark + ".then"));
}

TEST_CASE("After so many jobs that fail alike nothing more is started, and one message says why",
          "[execute][failure]") {
  Failing study;
  for (int i = 0; i < 6; ++i)
    study.add_failure("configuration",
                      "/data/c" + std::to_string(i) + "/a.png: no such file; step " + std::to_string(i));
  study.add({});
  const auto stopped = study.run({.stop_after = 3});
  CHECK(stopped.failures.size() == 3);
  CHECK(stopped.done == 0);
  CHECK_THAT(stopped.stopped, Catch::Contains("3 train jobs failed alike (configuration): /data/c2/a.png"));
  const auto all = study.run();
  CHECK(all.failures.size() == 6);
  CHECK(all.stopped.empty());
  CHECK(all.done == 1);
}

TEST_CASE("Different failures, and failures between which jobs of their kind are done, stop nothing",
          "[execute][failure]") {
  Failing study;
  for (const char* text : {"no token", "no photo", "no base"}) study.add_failure("configuration", text);
  for (int i = 0; i < 4; ++i) {
    study.add_failure("method", "step " + std::to_string(i) + ": not finite");
    study.add({});
  }
  const auto result = study.run({.stop_after = 2});
  CHECK(result.stopped.empty());
  CHECK(result.failures.size() == 7);
  CHECK(result.done == 4);
}

TEST_CASE("A full disk stops the study at once", "[execute][failure]") {
  Failing study;
  study.add_failure("resource", "objects/ab: cannot write: " + errno_text(ENOSPC));
  study.add({});
  const auto result = study.run();
  CHECK(result.failures.size() == 1);
  CHECK(result.done == 0);
  CHECK_THAT(result.stopped, Catch::Contains(errno_text(ENOSPC)));
  CHECK(study.seen.retried_as.empty());
}

TEST_CASE("What failed for good before is not tried, and what needs it is blocked", "[execute][failure]") {
  Failing study;
  study.add({});
  study.add({})["needs"] = {0};
  study.add({});
  const auto result = study.run({.failed_before = {0}});
  CHECK(result.failed_before == 1);
  CHECK(result.blocked == 1);
  CHECK(result.done == 1);
  CHECK(tried_by_later_calls("node"));
  CHECK(tried_by_later_calls("resource"));
  CHECK(tried_by_later_calls("interrupted"));
  CHECK_FALSE(tried_by_later_calls("method"));
  CHECK_FALSE(tried_by_later_calls("configuration"));
}
