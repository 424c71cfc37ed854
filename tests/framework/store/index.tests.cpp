#include <catch2/catch.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/index.h"
#include "framework/store/queries.h"
#include "tests/framework/store/hand_made.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

TEST_CASE("The index knows what a study's jobs made and what failed", "[store][index]") {
  HandMade made;
  made.make_all();
  Index index(made.store);
  CHECK(index.messages().empty());
  CHECK(index.check().empty());

  const auto all = studies(index);
  REQUIRE(all.size() == 1);
  CHECK(all[0].study == "toy");
  CHECK(all[0].manifest == made.manifest_digest);
  CHECK(all[0].runs == 2);
  CHECK(all[0].jobs.done == 3);
  CHECK(all[0].jobs.failed == 1);
  CHECK(all[0].jobs.pending == 0);

  const auto runs = runs_of(index, made.manifest_digest);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].run == "aaaaaaaaaaaa");
  CHECK(runs[0].jobs.done == 3);
  CHECK(runs[1].jobs.failed == 1);
  CHECK(runs[1].seed == 1);

  const auto artifacts = artifacts_of(index, made.manifest_digest, "aaaaaaaaaaaa");
  REQUIRE(artifacts.size() == 3);
  CHECK(artifacts[0].object == made.weights);
  CHECK(artifacts[0].step == 500);
  CHECK(artifacts[1].prompt == "ti/edit/0");
  CHECK(artifacts[2].object == made.table);
  CHECK_FALSE(artifacts[0].divergent);
  CHECK(artifacts_of(index, made.manifest_digest, "bbbbbbbbbbbb").at(0).object.empty());
}

TEST_CASE("A failure is shown by its one-line text, whether its parts were written or the line alone",
          "[store][index]") {
  HandMade made;
  made.make_all();
  {
    Index index(made.store);
    const auto failures = failures_of(index, made.manifest_digest);
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].error == "step 3: NaN; expected a finite loss");
    CHECK(failures[0].failure_class == "method");
    CHECK(failures[0].runs == std::vector<std::string>{"bbbbbbbbbbbb"});
    const auto log = log_of(index, made.manifest_digest, "bbbbbbbbbbbb");
    REQUIRE(log.size() == 2);
    CHECK(log[0].text == "started train on there ");
    CHECK(log[1].level == "error");
    CHECK(log[1].text == "failed (method): step 3: NaN; expected a finite loss");
  }
  Spool spool(made.store);
  spool.write({{"type", "attempt"}, {"attempt", "zzz"}, {"job_keys", {key_of(made.failing)}}});
  spool.write({{"type", "attempt_end"},
               {"attempt", "zzz"},
               {"status", "failed"},
               {"class", "node"},
               {"error", "the worker\ndied"}});
  Index index(made.store);
  const auto failures = failures_of(index, made.manifest_digest);
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].error == "the worker died");
}
