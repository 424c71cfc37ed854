// Studies on a disk that fills up or cannot be written, and under a clock that jumps: whole programs, with the library
// disk_faults before the C library.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "framework/store/gc.h"
#include "framework/store/verify.h"
#include "tests/study/study_place.h"
#include "tests/support/disk_faults/disk_faults.h"

using disk_faults::Kind;

namespace {

/// For the programs that are started while it lives.
class BesideTheDisk {
 public:
  BesideTheDisk(const char* variable, const std::string& value) : variable_(variable) {
    ::setenv(variable_, value.c_str(), 1);
    ::setenv("LD_PRELOAD", ATELIER_DISK_FAULTS, 1);
    ::setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
  }
  ~BesideTheDisk() {
    ::unsetenv("LD_PRELOAD");
    ::unsetenv(variable_);
  }
  BesideTheDisk(const BesideTheDisk&) = delete;
  BesideTheDisk& operator=(const BesideTheDisk&) = delete;

 private:
  const char* variable_;
};

std::string plan_text(Kind kind, long call, int error, const std::string& folder) {
  return fmt::format("{} {} {} {}", static_cast<int>(kind), call, error, folder);
}

/// Runs the study while each of its processes can call the disk so often.
Outcome run_until_full(const StudyPlace& place, long calls) {
  const BesideTheDisk disk("ATELIER_DISK_FAULTS", plan_text(Kind::lasting, calls, ENOSPC, place.store()));
  return place.run();
}

}  // namespace

TEST_CASE("A study on a disk that fills up says so, and loses nothing that was done", "[study][disk]") {
  const StudyPlace undisturbed(both_methods("1e-2")), place(both_methods("1e-2"));
  REQUIRE(undisturbed.run().status == 0);
  REQUIRE(place.command("plan").status == 0);
  std::map<std::string, std::string> before;
  for (const long calls : {1, 20, 60, 100, 160}) {
    INFO(calls);
    const Outcome full = run_until_full(place, calls);
    INFO(full.err);
    CHECK(full.status == 1);
    CHECK_THAT(full.err, Catch::Contains("No space left on device") && Catch::Contains("free some space"));
    if (!std::filesystem::exists(place.store() + "/store.json")) continue;
    for (const auto& damage : verify(atelier::Store::open(place.store()))) FAIL(damage.place << ": " << damage.found);
    const auto after = place.published();
    for (const auto& [key, object] : before) CHECK(after.at(key) == object);
    before = after;
  }
  CHECK_FALSE(before.empty());
  const Outcome last = place.run();
  INFO(last.err);
  REQUIRE(last.status == 0);
  CHECK(place.published() == undisturbed.published());
  CHECK(place.ask("table", {"--as", "csv"}).out == undisturbed.ask("table", {"--as", "csv"}).out);
}

TEST_CASE("A study in a store that cannot be written ends before it begins, with what to do", "[study][disk]") {
  const StudyPlace place(both_methods("1e-2"));
  static_cast<void>(atelier::Store::create_or_open(place.store()));
  const BesideTheDisk disk("ATELIER_DISK_FAULTS", plan_text(Kind::lasting, 1, EROFS, place.store()));
  const Outcome refused = place.run();
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Catch::Contains("Read-only file system") && Catch::Contains("--store DIR"));
  CHECK(place.published().empty());
}

TEST_CASE("A wall clock that jumps by days changes no result and no status", "[study][disk]") {
  const StudyPlace steady(both_methods("1e-2")), place(both_methods("1e-2"));
  REQUIRE(steady.run().status == 0);
  {
    const BesideTheDisk clock("ATELIER_CLOCK_JUMPS", "300000");
    const Outcome done = place.run();
    INFO(done.err);
    REQUIRE(done.status == 0);
    CHECK(nlohmann::json::parse(place.ask("status", {"--json"}).out)["state"] == "done");
    CHECK(run_atelier({"gc", "--store", place.store()}).status == 0);
  }
  CHECK(place.published() == steady.published());
  CHECK(place.ask("table", {"--as", "csv"}).out == steady.ask("table", {"--as", "csv"}).out);
}
