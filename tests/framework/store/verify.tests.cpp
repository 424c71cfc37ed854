#include "framework/store/verify.h"

#include <catch2/catch.hpp>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "tests/framework/store/damage.h"
#include "tests/framework/store/hand_made.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> published_files(const Store& store) {
  std::vector<fs::path> files{store.root() / "store.json"};
  for (const char* folder : {"objects", "keys", "manifests", "spool"}) {
    for (const auto& entry : fs::recursive_directory_iterator(store.root() / folder)) {
      if (entry.is_regular_file() && entry.path().extension() != ".lock") files.push_back(entry.path());
    }
  }
  return files;
}

/// Of all damages, the one at a place that starts so.
std::string found_at(const Store& store, const std::string& place) {
  for (const auto& damage : verify(store)) {
    if (damage.place.starts_with(place)) return damage.found + "; " + damage.advice;
  }
  return "";
}

}  // namespace

TEST_CASE("A store that nobody touched is sound, with work in progress in it too", "[store][verify]") {
  HandMade made;
  made.make_all();
  made.publish_other_weights();
  write_file_atomically(made.store.snapshot_path(key_of(made.failing)), "half");
  write_file_atomically(made.store.temporary_path(), "half");
  const auto lock = made.store.lock(key_of(made.failing), false);
  CHECK(verify(made.store).empty());
  CHECK(verify(Store::create_or_open(made.folder_ / "empty")).empty());
}

TEST_CASE("A changed byte in any published file is found there", "[store][verify]") {
  HandMade made;
  made.make_all();
  made.publish_other_weights();
  const auto files = published_files(made.store);
  CHECK(files.size() == 1 + 5 + 3 + 1 + 2);
  for (const auto& file : files) {
    const auto place = file.lexically_relative(made.store.root()).string();
    const auto size = fs::file_size(file);
    const auto next = [&](std::size_t at) { return at + 11 < size || at + 1 == size ? at + 11 : size - 1; };
    for (std::size_t at = 0; at < size; at = next(at)) {
      CAPTURE(place, at);
      change_byte(file, at);
      REQUIRE_THAT(found_at(made.store, place), !Catch::Equals(""));
      change_byte(file, at);
    }
  }
  CHECK(verify(made.store).empty());
}

TEST_CASE("A file that was cut short or emptied is found", "[store][verify]") {
  HandMade made;
  made.make_all();
  for (const auto& file : published_files(made.store)) {
    const auto text = read_text_file(file);
    const auto place = file.lexically_relative(made.store.root()).string();
    CAPTURE(place);
    write_file_atomically(file, text.substr(0, text.size() / 2));
    CHECK_THAT(found_at(made.store, place), !Catch::Equals(""));
    write_file_atomically(file, text);
  }
}

TEST_CASE("Damage is told with what leads to it and what to do", "[store][verify]") {
  HandMade made;
  made.make_all();
  const auto key = "keys/" + key_of(made.train) + ".json";
  change_byte(made.store.object_path(made.losses), 3);
  CHECK_THAT(found_at(made.store, "objects/" + made.losses.substr(0, 2)), Catch::Contains("remove it and " + key));
  fs::remove(made.store.object_path(made.losses));
  CHECK_THAT(found_at(made.store, key), Catch::Contains(made.losses + ", which is not in the store"));
  fs::remove(made.manifest_file());
  CHECK(verify(made.store).size() == 1);  // a study less is no damage
}

TEST_CASE("What followed the advice is sound again", "[store][verify]") {
  HandMade made;
  made.make_all();
  change_byte(made.store.object_path(made.weights), 0);
  fs::remove(made.store.object_path(made.weights));
  fs::remove(made.key_file(made.train));
  made.publish_train();
  CHECK(verify(made.store).empty());
}

TEST_CASE("Records that fit themselves but not their name are found", "[store][verify]") {
  HandMade made;
  made.make_all();
  const auto other = key_of({{"seed", 2}});
  fs::copy(made.key_file(made.train), made.path("keys/" + other + ".json"));
  KeyRecord record{
      .key = key_of(made.failing), .description = made.train, .object = made.weights, .summary = {}, .divergent = {}};
  write_file_atomically(made.key_file(made.failing), pretty_json(to_json(record)));
  CHECK_THAT(found_at(made.store, "keys/" + other), Catch::Contains("the record of key"));
  CHECK_THAT(found_at(made.store, "keys/" + record.key), Catch::Contains("another key"));
  CHECK(verify(made.store).size() == 2);
}

TEST_CASE("Files that are none of the store's are found", "[store][verify]") {
  HandMade made;
  const std::vector<std::string> names{"objects/notes", "objects/ab/notes", "keys/notes.json", "manifests/notes.json",
                                       "spool/notes"};
  fs::create_directory(made.path("objects/ab"));
  for (const auto& name : names) write_file_atomically(made.path(name), "{}");
  for (const auto& name : names) CHECK_THAT(found_at(made.store, name), Catch::Contains("remove it"));
  CHECK(verify(made.store).size() == names.size());
}

TEST_CASE("A store without one of its folders is an error", "[store][verify]") {
  HandMade made;
  fs::remove(made.path("objects"));
  CHECK_THROWS_WITH(verify(made.store), Catch::Contains("objects"));
}
