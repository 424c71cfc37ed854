// One publishing, one reading of the index, with every call on the disk failing in its turn.
#include <catch2/catch.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/store/index.h"
#include "framework/store/verify.h"
#include "tests/framework/store/hand_made.h"
#include "tests/support/disk_faults/ways.h"

using namespace atelier;
using namespace atelier::tests;
using disk_faults::Way;
namespace fs = std::filesystem;

namespace {

/// Does `work` with the disk failing at its n-th call for n = 1, 2, … until it is through before that; `prepare` gives
/// the folder, `check` looks at what is there after each. Returns the number of calls.
template <class Place>
long fail_everywhere(const Way& way, const std::function<std::unique_ptr<Place>()>& prepare,
                     const std::function<void(Place&)>& work, const std::function<void(Place&, bool failed)>& check) {
  for (long call = 1;; ++call) {
    const auto place = prepare();
    const auto tried = disk_faults::try_work(way, call, place->folder_.path(), [&] { work(*place); });
    INFO("kind " << static_cast<int>(way.kind) << ", errno " << way.error << ", call " << call);
    check(*place, tried.failed);
    if (tried.calls < call) return tried.calls;
  }
}

/// As a worker publishes: an object from memory, one from a file, their keys; a manifest; its own record.
void publish_all(HandMade& made) {
  made.put_manifest();
  const auto lock = made.store.lock(key_of(made.train), true);
  made.publish_train();
  const auto finished = made.store.temporary_path();
  write_file_atomically(finished, "a zip of pictures");
  made.pictures = made.store.adopt(finished);
  made.store.publish({key_of(made.sample), made.sample, made.pictures, {{"images", 3}, {"bytes", 17}}, {}});
  made.write_first_spool();
}

void check_store(HandMade& made, bool failed) {
  for (const auto& damage : verify(made.store)) FAIL(damage.place << ": " << damage.found);
  REQUIRE(made.store.find(key_of(made.score)));  // was there before
  CHECK(fs::is_empty(made.path("tmp")));
  publish_all(made);  // the next try, on a disk that works
  CHECK(made.store.find(key_of(made.train))->object == sha256_hex("weights"));
  CHECK(made.store.find(key_of(made.sample))->object == sha256_hex("a zip of pictures"));
  for (const Json& description : {made.train, made.sample, made.score}) {
    CHECK(made.store.find(key_of(description))->divergent.empty());
  }
  CHECK(verify(made.store).empty());
  if (failed) CHECK(Index(made.store).dump() == Index(made.store, made.folder_ / "again.sqlite").dump());
}

}  // namespace

TEST_CASE("Whatever call of a publishing fails, nothing is lost, nothing is half there, and the next try completes it",
          "[store][faults]") {
  for (const Way& way : disk_faults::kWays) {
    const long calls = fail_everywhere<HandMade>(
        way,
        [] {
          auto made = std::make_unique<HandMade>();
          made->publish_score();
          return made;
        },
        publish_all, check_store);
    CHECK(calls > 30);
  }
}

TEST_CASE("Whatever call fails while the index is made, it is the same in the end", "[store][faults]") {
  HandMade made;
  made.make_all();
  const std::string expected = Index(made.store, made.folder_ / "expected.sqlite").dump();
  struct Place {
    TemporaryFolder folder_;
    [[nodiscard]] fs::path file() const { return folder_ / "index.sqlite"; }
  };
  for (const Way& way : disk_faults::kWays) {
    const long calls = fail_everywhere<Place>(
        way, [] { return std::make_unique<Place>(); },
        [&](Place& place) { static_cast<void>(Index(made.store, place.file())); },
        [&](Place& place, bool) { CHECK(Index(made.store, place.file()).dump() == expected); });
    CHECK(calls > 10);
  }
}

TEST_CASE("Whatever call fails while a store is made, the next one makes it", "[store][faults]") {
  struct Place {
    TemporaryFolder folder_;
  };
  for (const Way& way : disk_faults::kWays) {
    const long calls = fail_everywhere<Place>(
        way, [] { return std::make_unique<Place>(); },
        [](Place& place) { static_cast<void>(Store::create_or_open(place.folder_ / "store")); },
        [](Place& place, bool) {
          const auto id = Store::create_or_open(place.folder_ / "store").id();
          CHECK(Store::open(place.folder_ / "store").id() == id);
          CHECK(fs::is_empty(place.folder_ / "store/tmp"));
        });
    CHECK(calls > 10);
  }
}
