// The commands that keep a store: verify, gc.
#include "framework/store/store.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/json.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

/// A store with one object that no key leads to.
struct SmallStore {
  TemporaryFolder folder;
  Store store = Store::create_or_open(folder / "store");
  std::string object = store.put("a picture");
  std::string place = "objects/" + object.substr(0, 2) + "/" + object.substr(2);

  [[nodiscard]] Outcome call(std::vector<std::string> words) const {
    words.insert(words.end(), {"--store", store.root().string()});
    return run_atelier(words);
  }
};

}  // namespace

TEST_CASE("verify says that a store is sound, or what is damaged and what to do", "[cli][store]") {
  const SmallStore small;
  const Outcome sound = small.call({"verify"});
  CHECK(sound.code == 0);
  CHECK_THAT(sound.out, Catch::Contains("every file is as it was written"));
  CHECK(parse_json(small.call({"verify", "--json"}).out, "verify").at("sound") == true);

  write_file_atomically(small.store.object_path(small.object), "a pictura");
  const Outcome damaged = small.call({"verify"});
  CHECK(damaged.code == 1);
  CHECK_THAT(damaged.out, Catch::Contains(small.place + ": bytes that do not fit its name; remove it") &&
                              Catch::Contains("1 damaged place\n"));
  const Outcome json = small.call({"verify", "--json"});
  CHECK(json.code == 1);
  CHECK(parse_json(json.out, "verify").at("damage").at(0).at("place") == small.place);
}

TEST_CASE("gc says what it would remove, and removes it", "[cli][store]") {
  const SmallStore small;
  const Outcome dry = small.call({"gc", "--dry-run"});
  CHECK(dry.code == 0);
  CHECK(dry.out == small.place + "  9 B\nwould remove 1 file (9 B): 1 in objects\n  object          1 file   9 B\n");
  CHECK(small.store.has_object(small.object));
  const Json removed = parse_json(small.call({"gc", "--json"}).out, "gc");
  CHECK(removed.at("bytes") == 9);
  CHECK(removed.at("removed").at(0).at("path") == small.place);
  CHECK_FALSE(small.store.has_object(small.object));
  CHECK(small.call({"gc"}).out == "removed 0 files (0 B)\n");
}

TEST_CASE("gc removes nothing while a worker holds a key's lock, and says so", "[cli][store]") {
  const SmallStore small;
  const auto lock = small.store.lock(key_of({{"seed", 1}}), false);
  const Outcome refused = small.call({"gc"});
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err, Catch::Contains("another process works in this store"));
  CHECK(small.store.has_object(small.object));
}

TEST_CASE("verify and gc make no store where there is none", "[cli][store]") {
  const TemporaryFolder folder;
  for (const char* command : {"verify", "gc"}) {
    const Outcome outcome = run_atelier({command, "--store", (folder / "none").string()});
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.err, Catch::Contains("no store here"));
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}
