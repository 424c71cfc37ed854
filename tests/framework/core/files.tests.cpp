#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

std::size_t entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

}  // namespace

TEST_CASE("an atomic file appears whole, and not at all without commit", "[core][atomic_file]") {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder / "a.txt");
    file.write("half");
  }
  CHECK(entries(folder.path()) == 0);

  write_file_atomically(folder / "a.txt", "whole");
  CHECK(read_text_file(folder / "a.txt") == "whole");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("replacing a file leaves an existing mapping intact", "[core][atomic_file]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "a", "old content");
  const auto mapped = MappedFile::open(folder / "a");
  write_file_atomically(folder / "a", "new");
  CHECK(std::string(reinterpret_cast<const char*>(mapped->bytes().data()), mapped->bytes().size()) == "old content");
}

TEST_CASE("files that cannot be read or written say so", "[core][mapped_file]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(MappedFile::open(folder / "missing"), Catch::Contains("No such file"));
  CHECK_THROWS_WITH(MappedFile::open(folder.path()), Catch::Contains("not a regular file"));
  CHECK_THROWS_WITH(AtomicFile(folder / "no/such/folder"), Catch::Contains("nothing was changed"));
  CHECK_THROWS_WITH(write_file_atomically("/dev/full/x", ""), Catch::Contains("/dev/full/x"));
  write_file_atomically(folder / "empty", "");
  CHECK(MappedFile::open(folder / "empty")->bytes().empty());
}

TEST_CASE("SHA-256 equals FIPS 180-2's example", "[core][digest]") {
  CHECK(sha256_hex(std::string_view("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const TemporaryFolder folder;
  write_file_atomically(folder / "abc", "abc");
  CHECK(sha256_file(folder / "abc") == sha256_hex(std::string_view("abc")));
}

TEST_CASE("a pipe is not replaced by a file", "[core][atomic_file]") {
  const TemporaryFolder folder;
  const auto pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_AS(atelier::write_file_atomically(pipe, "text"), atelier::Error);
  CHECK(std::filesystem::is_fifo(pipe));
}
