#include "framework/store/release.h"

#include <catch2/catch.hpp>

#include "framework/store/bundle.h"
#include "framework/store/gc.h"
#include "framework/store/index.h"
#include "framework/store/pins.h"
#include "framework/store/queries.h"
#include "framework/store/verify.h"
#include "tests/framework/store/hand_made.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

bool always(const std::string&) { return true; }

std::uintmax_t release(const Store& store, const std::set<std::string>& keys) {
  return Releaser(store).release(keys, always);
}

}  // namespace

TEST_CASE("An object that was released is no damage, and its key stays done", "[store][release]") {
  HandMade made;
  made.make_all();
  const auto key = key_of(made.sample);
  const auto size = fs::file_size(made.store.object_path(made.pictures));
  CHECK(release(made.store, {key, std::string(64, '0')}) == size);
  CHECK(made.store.has(key));
  CHECK(made.store.released(key));
  CHECK_FALSE(made.store.has_object(made.pictures));
  CHECK(verify(made.store).empty());
  CHECK(collect_garbage(made.store, false).removed.empty());
  CHECK(made.store.released(key));
  Index index(made.store);
  CHECK(status_of_manifest(index, made.manifest_digest).done == 3);
  CHECK(release(made.store, {key}) == 0);

  fs::remove(made.store.object_path(made.table));  // without a mark it is
  CHECK(verify(made.store).size() == 1);
}

TEST_CASE("An object stays as long as one key that leads to it is not released", "[store][release]") {
  HandMade made;
  made.make_all();
  const Json twin{{"kind", "sample"}, {"seed", 7}};
  CHECK(made.store.publish({key_of(twin), twin, made.pictures, Json::object(), {}}));
  CHECK(release(made.store, {key_of(made.sample)}) == 0);
  CHECK(made.store.has_object(made.pictures));
  CHECK(verify(made.store).empty());
  CHECK(release(made.store, {key_of(twin)}) > 0);
  CHECK_FALSE(made.store.has_object(made.pictures));
}

TEST_CASE("What somebody refuses when the store is locked stays", "[store][release]") {
  HandMade made;
  made.make_all();
  CHECK(Releaser(made.store).release({key_of(made.sample)}, [](const std::string&) { return false; }) == 0);
  CHECK_FALSE(made.store.released(key_of(made.sample)));
  CHECK(made.store.has_object(made.pictures));
}

TEST_CASE("A released key that is made again is held again; other bytes are then what it leads to",
          "[store][release]") {
  HandMade made;
  made.make_all();
  const auto key = key_of(made.sample);
  release(made.store, {key});
  made.publish_sample();
  CHECK_FALSE(made.store.released(key));
  CHECK(made.store.has_object(made.pictures));
  CHECK(made.store.find(key)->divergent.empty());

  release(made.store, {key});
  const auto other = made.store.put("other pictures");
  CHECK_FALSE(made.store.publish({key, made.sample, other, {{"bytes", 14}}, {}}));
  const auto record = made.store.find(key);
  CHECK(record->object == other);
  CHECK(record->divergent == std::vector<std::string>{made.pictures});
  CHECK_FALSE(made.store.released(key));
  CHECK(verify(made.store).empty());
  CHECK(collect_garbage(made.store, false).removed.empty());
}

TEST_CASE("What a bundle was made from stays, also without its manifest, until its pin is removed",
          "[store][release]") {
  HandMade made;
  made.make_all();
  put_pin(made.store, pin_of_bundle(made.store, made.manifest_digest, false));
  auto pin = read_pins(made.store).at(0);
  CHECK(pin.study == "toy");
  CHECK(pin.keys == std::set<std::string>{key_of(made.train), key_of(made.sample), key_of(made.score)});
  CHECK(pin.held == std::set<std::string>{key_of(made.score)});
  put_pin(made.store, pin_of_bundle(made.store, made.manifest_digest, true));
  put_pin(made.store, pin_of_bundle(made.store, made.manifest_digest, false));
  CHECK(read_pins(made.store).at(0).held.contains(key_of(made.sample)));

  fs::remove(made.manifest_file());
  auto report = collect_garbage(made.store, false);
  CHECK(made.store.has_object(made.weights));
  CHECK(made.store.has_object(made.table));
  REQUIRE_FALSE(report.kept.empty());
  CHECK(report.kept[0].reason == "pinned by a bundle of toy");
  fs::remove_all(made.path("pins"));
  report = collect_garbage(made.store, true);
  std::map<std::string, int> kinds;
  for (const auto& removed : report.removed) ++kinds[removed.kind];
  CHECK(kinds["train"] >= 2);  // record and weights
  CHECK(kinds["sample"] == 2);
  CHECK(kinds["score"] == 2);
  CHECK(report.kept.empty());
}
