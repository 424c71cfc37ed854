#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/store/store.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

const std::string kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // FIPS 180-2, B.1

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("An object lies under the SHA-256 of its bytes and may not be written", "[store][objects]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  CHECK_FALSE(store.has_object(kAbc));
  CHECK(store.put("abc") == kAbc);
  CHECK(store.has_object(kAbc));
  CHECK(store.object_path(kAbc) == folder / "store" / "objects" / "ba" / kAbc.substr(2));
  CHECK(read_text_file(store.object_path(kAbc)) == "abc");
  CHECK((fs::status(store.object_path(kAbc)).permissions() & fs::perms::all) == fs::perms(0444));
}

TEST_CASE("Storing the same bytes again keeps the first file", "[store][objects]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  struct stat first {
  }, second{};
  ::stat(store.object_path(store.put("abc")).c_str(), &first);
  ::stat(store.object_path(store.put("abc")).c_str(), &second);
  CHECK(first.st_ino == second.st_ino);
  CHECK(files_in(folder / "store" / "tmp") == 0);
}

TEST_CASE("A finished file is taken in and gone from where it was", "[store][objects]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto finished = store.temporary_path();
  write_file_atomically(finished, "abc");
  CHECK(store.adopt(finished) == kAbc);
  CHECK_FALSE(fs::exists(finished));
  CHECK(read_text_file(store.object_path(kAbc)) == "abc");
  CHECK(files_in(folder / "store" / "tmp") == 0);
}

TEST_CASE("An object that was cut short is mended by the next who makes it", "[store][objects]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const auto path = store.object_path(store.put("abc"));
  fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
  fs::resize_file(path, 1);
  CHECK(store.put("abc") == kAbc);
  CHECK(read_text_file(path) == "abc");
}

TEST_CASE("What is no digest never becomes part of a path", "[store][objects]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const std::string upper = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
  const std::string up = "../../../../../../../../../../../../../../../../../../../etc/pas";  // 64 letters
  REQUIRE(up.size() == 64);
  for (const std::string& name : {std::string(), std::string("abc"), kAbc + "0", kAbc.substr(1), upper, up,
                                  kAbc.substr(0, 63) + '\0', "/" + kAbc.substr(1)}) {
    CAPTURE(name);
    CHECK_THROWS_WITH(store.object_path(name), Catch::Contains("64 lower-case hexadecimal digits"));
    CHECK_THROWS_AS(store.has_object(name), Error);
    CHECK_THROWS_AS(store.find(name), Error);
    CHECK_THROWS_AS(store.lock(name, false), Error);
    CHECK_THROWS_AS(store.snapshot_path(name), Error);
    CHECK_THROWS_AS(store.manifest(name), Error);
  }
}

TEST_CASE("A store is not made among somebody's files", "[store]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "thesis.tex", "years");
  CHECK_THROWS_WITH(Store::create_or_open(folder.path()), Catch::Contains("thesis.tex"));
  CHECK(files_in(folder.path()) == 1);
  CHECK_THROWS_WITH(Store::open(folder.path()), Catch::Contains("no store here"));
}

TEST_CASE("A store keeps its id, and one of another version is refused untouched", "[store]") {
  const TemporaryFolder folder;
  const auto id = Store::create_or_open(folder / "store").id();
  CHECK(id.size() == 32);
  CHECK(Store::create_or_open(folder / "store/").id() == id);
  CHECK(Store::open(folder / "store").id() == id);
  CHECK(Store::create_or_open(folder / "other").id() != id);

  fs::create_directory(folder / "later");
  write_file_atomically(folder / "later" / "store.json", R"({"schema": "atelier.store/7"})");
  CHECK_THROWS_WITH(Store::create_or_open(folder / "later"), Catch::Contains("atelier.store/7"));
  CHECK(files_in(folder / "later") == 1);
}

TEST_CASE("A manifest is found by the digest of its text, and a changed one is refused", "[store]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  const Json manifest{{"study", "toy"}, {"runs", {1, 2}}};
  const auto digest = store.put_manifest(manifest);
  CHECK(digest == sha256_hex(manifest.dump()));
  CHECK(store.put_manifest(manifest) == digest);
  CHECK(store.manifest(digest) == manifest);
  const auto path = folder / "store" / "manifests" / (digest + ".json");
  fs::remove(path);
  write_file_atomically(path, pretty_json({{"study", "joy"}}));
  CHECK_THROWS_WITH(store.manifest(digest), Catch::Contains("does not fit its name"));
  CHECK(store.put_manifest(manifest) == digest);  // as the error says
  CHECK(store.manifest(digest) == manifest);
}
