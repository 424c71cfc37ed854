#include <catch2/catch.hpp>
#include <fstream>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/store/index.h"
#include "framework/store/queries.h"
#include "tests/framework/store/child.h"
#include "tests/framework/store/hand_made.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

std::string dump_of(const HandMade& made) { return Index(made.store).dump(); }

void overwrite(const fs::path& file, std::uint64_t start, std::uint64_t length, char byte) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(static_cast<std::streamoff>(start));
  stream << std::string(length, byte);
}

}  // namespace

TEST_CASE("The index lies in the store, and nothing is lost with it", "[store][index]") {
  HandMade made;
  made.make_all();
  const auto file = Index::file_of(made.store);
  CHECK(file == made.path("index.sqlite"));
  const auto text = dump_of(made);
  fs::remove(file);
  CHECK(dump_of(made) == text);
}

TEST_CASE("A damaged index is rebuilt and says so", "[store][index]") {
  HandMade made;
  made.make_all();
  const auto text = dump_of(made);
  const auto file = made.path("index.sqlite");
  const auto size = fs::file_size(file);
  const std::vector<std::function<void()>> damages{
      [&] { write_file_atomically(file, "no database"); },
      [&] { write_file_atomically(file, std::string(9000, 'x')); },
      [&] { fs::resize_file(file, size / 2); },
      [&] { overwrite(file, 4096, size - 4096, '\xff'); },
      [&] { overwrite(file, 100, 3000, '\0'); },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    CAPTURE(i);
    damages[i]();
    Index index(made.store);
    CHECK(index.dump() == text);
    REQUIRE(index.messages().size() == 1);
    CHECK_THAT(index.messages()[0], Catch::Contains("rebuilt, because it was damaged"));
    CHECK(index.check().empty());
  }
}

TEST_CASE("An index that another version made is rebuilt and says so", "[store][index]") {
  HandMade made;
  made.make_all();
  const auto text = dump_of(made);
  Database(made.path("index.sqlite")).script("PRAGMA user_version = 999; DELETE FROM artifact");
  Index index(made.store);
  CHECK(index.dump() == text);
  REQUIRE(index.messages().size() == 1);
  CHECK_THAT(index.messages()[0], Catch::Contains("another version"));
}

TEST_CASE("While another process writes the index it is read as it is, with a message", "[store][index]") {
  HandMade made;
  made.put_manifest();
  dump_of(made);
  Database other(made.path("index.sqlite"));
  REQUIRE(other.begin(0));
  made.publish_train();
  Index index(made.store);
  REQUIRE(index.messages().size() == 1);
  CHECK_THAT(index.messages()[0], Catch::Contains("another process") && Catch::Contains("s old"));
  CHECK(status_of_manifest(index, made.manifest_digest).done == 0);
  CHECK_FALSE(index.refresh());
  other.rollback();
  CHECK(index.refresh());
  CHECK(status_of_manifest(index, made.manifest_digest).done == 1);
}

TEST_CASE("Processes that make the index at once all read the same", "[store][index]") {
  HandMade made;
  made.make_all();
  const auto expected = Index(made.store, made.folder_ / "expected.sqlite").dump();
  Gate gate;
  std::vector<Child> children;
  for (int i = 0; i < 4; ++i) {
    children.emplace_back([&] {
      gate.pass();
      Index index(made.store);
      for (int tries = 0; tries < 1000 && !index.refresh(); ++tries) ::usleep(5000);
      return index.dump() == expected ? 0 : 1;
    });
  }
  gate.open();
  for (auto& child : children) CHECK(child.wait() == 0);
  CHECK(dump_of(made) == expected);
}
