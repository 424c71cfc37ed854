#include "framework/store/gc.h"

#include <catch2/catch.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/index.h"
#include "framework/store/names.h"
#include "framework/store/queries.h"
#include "framework/store/verify.h"
#include "tests/framework/store/child.h"
#include "tests/framework/store/damage.h"
#include "tests/framework/store/hand_made.h"
#include "tests/framework/store/killing.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

const Json kStray{{"kind", "train"}, {"seed", 99}};

/// A training that no study needs, with losses and a second outcome.
void publish_stray(const Store& store) {
  const auto losses = store.put("stray losses");
  store.publish({key_of(kStray), kStray, store.put("stray weights"), {{"losses", losses}}, {}});
  store.publish({key_of(kStray), kStray, store.put("stray weights again"), {{"losses", losses}}, {}});
}

std::vector<std::string> paths_of(const GcReport& report) {
  std::vector<std::string> paths;
  for (const auto& removed : report.removed) paths.push_back(removed.path);
  return paths;
}

std::vector<std::string> files_of(const Store& store) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(store.root())) {
    if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(store.root()).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void check_study(const HandMade& made) {
  for (const Json& description : {made.train, made.sample, made.score}) CHECK(made.store.find(key_of(description)));
  CHECK(made.store.manifest(made.manifest_digest) == made.manifest);
  CHECK(verify(made.store).empty());
}

}  // namespace

TEST_CASE("A store in which everything is needed loses nothing", "[store][gc]") {
  HandMade made;
  made.make_all();
  made.publish_other_weights();
  write_file_atomically(made.store.snapshot_path(key_of(made.failing)), "half");
  write_file_atomically(made.store.temporary_path(), "ours, and we live");
  static_cast<void>(made.store.lock(key_of(made.train), false));
  static_cast<void>(made.store.lock_against_use());  // makes its file
  const auto before = files_of(made.store);
  const auto report = collect_garbage(made.store, false);
  CHECK(paths_of(report).empty());
  CHECK(report.bytes == 0);
  CHECK(files_of(made.store) == before);
}

TEST_CASE("What no study needs goes: a key with its objects, its lock and its snapshot", "[store][gc]") {
  HandMade made;
  made.make_all();
  publish_stray(made.store);
  static_cast<void>(made.store.put("an object without a key"));
  static_cast<void>(made.store.lock(key_of(kStray), false));
  for (const Json& description : {made.train, made.failing, kStray}) {
    write_file_atomically(made.store.snapshot_path(key_of(description)), "snapshot");
  }
  const auto before = files_of(made.store);

  const auto expected = collect_garbage(made.store, true);
  CHECK(files_of(made.store) == before);
  const auto report = collect_garbage(made.store, false);
  CHECK(paths_of(report) == paths_of(expected));
  CHECK(report.bytes == expected.bytes);
  CHECK(report.removed.size() == 2 + 4 + 2);
  CHECK_FALSE(made.store.find(key_of(kStray)));
  CHECK_FALSE(fs::exists(made.store.snapshot_path(key_of(made.train))));  // published
  CHECK(fs::exists(made.store.snapshot_path(key_of(made.failing))));
  CHECK(files_of(made.store).size() == before.size() - report.removed.size());
  check_study(made);
  CHECK(collect_garbage(made.store, false).removed.empty());
}

TEST_CASE("Previews go with the key they belong to", "[store][gc]") {
  HandMade made;
  made.make_all();
  for (const Json& description : {made.train, kStray}) {
    fs::create_directories(made.path("previews/" + key_of(description)));
    write_file_atomically(made.path("previews/" + key_of(description) + "/10_a.png"), "png");
  }
  const auto report = collect_garbage(made.store, false);
  CHECK(paths_of(report) == std::vector<std::string>{"previews/" + key_of(kStray)});
  CHECK(report.bytes == 3);
  CHECK(fs::exists(made.path("previews/" + key_of(made.train) + "/10_a.png")));
}

TEST_CASE("The bytes that become free are counted", "[store][gc]") {
  HandMade made;
  static_cast<void>(made.store.put(std::string(1000, 'x')));
  static_cast<void>(made.store.put(std::string(234, 'y')));
  CHECK(collect_garbage(made.store, true).bytes == 1234);
  CHECK(collect_garbage(made.store, false).bytes == 1234);
}

TEST_CASE("An object that a needed key shares with another stays", "[store][gc]") {
  HandMade made;
  made.make_all();
  made.store.publish({key_of(kStray), kStray, made.weights, {{"losses", made.losses}}, {}});
  CHECK(paths_of(collect_garbage(made.store, false)) == std::vector<std::string>{"keys/" + key_of(kStray) + ".json"});
  check_study(made);
}

TEST_CASE("What a needed key was made from is needed", "[store][gc]") {
  HandMade made;
  auto jobs = made.manifest["jobs"];
  made.manifest["jobs"] = Json::array({jobs[2]});  // the score alone: it names the pictures, and they the training
  made.make_all();
  CHECK(collect_garbage(made.store, false).removed.empty());
  check_study(made);
}

TEST_CASE("When a study's manifest was removed, its results go and leave the index", "[store][gc]") {
  HandMade made;
  made.make_all();
  Index index(made.store);
  fs::remove(made.manifest_file());
  CHECK(collect_garbage(made.store, false).removed.size() == 3 + 4);
  CHECK(index.refresh());
  CHECK(studies(index).empty());
  CHECK(index.query("SELECT * FROM artifact").empty());
  CHECK(index.dump() == Index(made.store, made.folder_ / "once.sqlite").dump());
}

TEST_CASE("Temporaries of dead processes go, those of the living and the foreign stay a while", "[store][gc]") {
  HandMade made;
  Child dead([&] {
    write_file_atomically(made.store.temporary_path(), "from the dead");
    return 0;
  });
  REQUIRE(dead.wait() == 0);
  const auto from_dead = fs::directory_iterator(made.path("tmp"))->path();
  const auto living = made.store.temporary_path();
  const auto foreign = made.path("tmp/00000000-1-0123456789abcdef");
  for (const auto& path : {living, foreign}) write_file_atomically(path, "x");
  fs::last_write_time(living, fs::file_time_type::clock::now() - std::chrono::hours(1000));
  CHECK(paths_of(collect_garbage(made.store, false)) ==
        std::vector<std::string>{"tmp/" + from_dead.filename().string()});
  fs::last_write_time(foreign, fs::file_time_type::clock::now() - std::chrono::hours(25));
  CHECK(paths_of(collect_garbage(made.store, false)) == std::vector<std::string>{"tmp/" + foreign.filename().string()});
  CHECK(fs::exists(living));
}

TEST_CASE("What a process leaves that was killed while it wrote an object goes", "[store][gc]") {
  HandMade made;
  Child killed([&] {
    AtomicFile half(made.store.temporary_path());  // writes beside it, under a name of its own
    half.write("half");
    ::raise(SIGKILL);
    return 0;
  });
  REQUIRE(killed.wait() == 128 + SIGKILL);
  REQUIRE_FALSE(fs::is_empty(made.path("tmp")));
  CHECK(collect_garbage(made.store, false).removed.size() == 1);
  CHECK(fs::is_empty(made.path("tmp")));
}

TEST_CASE("Nothing is removed while another process holds the lock of any key", "[store][gc]") {
  HandMade made;
  made.make_all();
  publish_stray(made.store);
  Gate locked;
  Child holder([&] {
    const auto lock = made.store.lock(key_of(made.failing), false);
    locked.open();
    if (lock) ::pause();
    return 1;
  });
  locked.pass();
  const auto before = files_of(made.store);
  CHECK_THROWS_WITH(collect_garbage(made.store, false), Catch::Contains("another process"));
  CHECK(files_of(made.store) == before);
  CHECK(collect_garbage(made.store, true).removed.size() == 4);
  holder.kill();
  holder.wait();
  CHECK(collect_garbage(made.store, false).removed.size() == 4);
}

TEST_CASE("No key is locked while things are removed", "[store][gc]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto key = key_of(kStray);
  {
    const auto gc = store.lock_against_use();
    REQUIRE(gc);
    CHECK_FALSE(store.lock(key, false));
    CHECK_FALSE(store.lock_against_use());
  }
  const auto lock = store.lock(key, false);
  CHECK(lock);
  CHECK_FALSE(store.lock_against_use());
}

TEST_CASE("Nothing is removed when it is unknown what is needed", "[store][gc]") {
  HandMade made;
  made.make_all();
  publish_stray(made.store);
  const auto before = files_of(made.store);
  for (const auto& file : {made.manifest_file(), made.key_file(made.sample)}) {
    const auto size = fs::file_size(file);
    for (std::size_t at = 0; at < size; at += 37) {
      change_byte(file, at);
      REQUIRE_THROWS_AS(collect_garbage(made.store, false), Error);
      change_byte(file, at);
    }
  }
  CHECK(files_of(made.store).size() == before.size() + 1);  // the lock's file
  CHECK(collect_garbage(made.store, false).removed.size() == 4);
}

TEST_CASE("A process killed while it removes things leaves a sound store", "[store][gc][killed]") {
  const Json needed{{"needed", true}};
  kill_everywhere(
      [&](const Store& store) {
        publish_stray(store);
        static_cast<void>(store.put_manifest({{"jobs", {{{"outputs", {{{"key", key_of(needed)}}}}}}}}));
        store.publish({key_of(needed), needed, store.put("needed"), Json::object(), {}});
      },
      [](const fs::path& root) { collect_garbage(Store::open(root), false); },
      [&](const Store& store) {
        collect_garbage(store, false);
        REQUIRE(store.has_object(store.find(key_of(needed))->object));
        REQUIRE_FALSE(store.find(key_of(kStray)));
        REQUIRE(collect_garbage(store, false).removed.empty());
      });
}
