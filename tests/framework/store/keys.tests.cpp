#include <catch2/catch.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/store.h"
#include "tests/framework/store/child.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

KeyRecord record_of(const Json& description, const std::string& object) {
  return {.key = key_of(description),
          .description = description,
          .object = object,
          .summary = {{"rows", 3}},
          .divergent = {}};
}

}  // namespace

TEST_CASE("A key is the SHA-256 of its description's canonical text", "[store][keys]") {
  // printf '{"a":1,"b":[0.1,"x"]}' | sha256sum
  CHECK(key_of({{"b", {0.1, "x"}}, {"a", 1}}) == "f70a6722f07a5c22536d6040034b6dc2adb234106a18b013bb9ce3d67e5f2f4b");
  CHECK_THROWS(key_of({{"text", "\xff"}}));
}

TEST_CASE("What was published under a key is found whole", "[store][keys]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto record = record_of({{"kind", "train"}, {"seed", 7}}, store.put("weights"));
  CHECK_FALSE(store.find(record.key));
  CHECK(store.publish(record));
  const auto found = store.find(record.key);
  REQUIRE(found);
  CHECK(to_json(*found) == to_json(record));
  CHECK(store.publish(record));  // the same once more is no divergence
  CHECK(store.find(record.key)->divergent.empty());
}

TEST_CASE("A key is not published without its object or with another description", "[store][keys]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto object = store.put("weights");
  CHECK_THROWS_WITH(store.publish(record_of({{"seed", 1}}, std::string(64, '0'))), Catch::Contains("not in the store"));
  auto other = record_of({{"seed", 1}}, object);
  other.description = {{"seed", 2}};
  CHECK_THROWS_WITH(store.publish(other), Catch::Contains("another key"));
  CHECK_FALSE(store.find(other.key));
}

TEST_CASE("A record under another key's name is refused", "[store][keys]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto record = record_of({{"seed", 1}}, store.put("weights"));
  store.publish(record);
  const auto other = key_of({{"seed", 2}});
  fs::copy(folder / "store" / "keys" / (record.key + ".json"), folder / "store" / "keys" / (other + ".json"));
  CHECK_THROWS_WITH(store.find(other), Catch::Contains(record.key));
}

TEST_CASE("Of processes that publish one key at once the first wins, and the others' bytes are kept", "[store][keys]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const Json description{{"seed", 1}};
  Gate gate;
  std::vector<Child> children;
  for (const char* content : {"one", "two", "three", "four"}) {
    children.emplace_back([&, content] {
      const auto record = record_of(description, store.put(content));
      gate.pass();
      return store.publish(record) ? 0 : 1;
    });
  }
  gate.open();
  int winners = 0;
  for (auto& child : children) {
    const int code = child.wait();
    REQUIRE(code <= 1);
    winners += code == 0 ? 1 : 0;
  }
  CHECK(winners == 1);

  const auto found = store.find(key_of(description));
  REQUIRE(found);
  std::vector<std::string> all = found->divergent;
  CHECK(std::is_sorted(all.begin(), all.end()));
  all.push_back(found->object);
  std::sort(all.begin(), all.end());
  std::vector<std::string> expected;
  for (const char* content : {"one", "two", "three", "four"}) expected.push_back(store.put(content));
  std::sort(expected.begin(), expected.end());
  CHECK(all == expected);
  CHECK(fs::is_empty(folder / "store" / "tmp"));
}

TEST_CASE("A key's lock keeps others out until its owner dies", "[store][keys]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto key = key_of({{"seed", 1}});
  Gate locked;  // opened when the child has it
  Child holder([&] {
    const auto lock = store.lock(key, false);
    if (!lock) return 1;
    locked.open();
    ::pause();
    return 0;
  });
  locked.pass();
  CHECK_FALSE(store.lock(key, false));
  CHECK(store.lock(key_of({{"seed", 2}}), false));
  holder.kill();
  CHECK(holder.wait() == 128 + SIGKILL);
  CHECK(store.lock(key, false));
}

TEST_CASE("A lock whose file was removed is taken anew by both", "[store][keys]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto key = key_of({{"seed", 1}});
  {
    const auto lock = store.lock(key, true);
    REQUIRE(lock);
    CHECK_FALSE(store.lock(key, false));
  }
  fs::remove(folder / "store" / "keys" / (key + ".lock"));
  const auto lock = store.lock(key, false);
  CHECK(lock);
  CHECK_FALSE(store.lock(key, false));
}
