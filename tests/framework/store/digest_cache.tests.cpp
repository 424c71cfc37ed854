#include "framework/store/digest_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "tests/framework/store/child.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

/// A photo that was taken `seconds` after 2001-09-09, and some nanoseconds.
fs::path photo(const TemporaryFolder& folder, const std::string& name, const std::string& content, int seconds = 0) {
  write_file_atomically(folder / name, content);
  const timespec times[2] = {{1'000'000'000 + seconds, 5}, {1'000'000'000 + seconds, 5}};
  REQUIRE(::utimensat(AT_FDCWD, (folder / name).c_str(), times, 0) == 0);
  return folder / name;
}

}  // namespace

TEST_CASE("A second look at a file reads nothing, in the same process and in the next", "[store][digests]") {
  const TemporaryFolder folder;
  const auto file = photo(folder, "a.jpg", "cat");
  const auto remembered = folder / "cache" / "atelier" / "digests.jsonl";
  DigestCache first(remembered);
  CHECK(first.digest(file) == sha256_hex("cat"));
  CHECK(first.digest(file) == sha256_hex("cat"));
  CHECK(first.files_read() == 1);
  DigestCache second(remembered);
  CHECK(second.digest(file) == sha256_hex("cat"));
  CHECK(second.files_read() == 0);
}

TEST_CASE("A file of another size or time is read again", "[store][digests]") {
  const TemporaryFolder folder;
  DigestCache cache(folder / "digests.jsonl");
  CHECK(cache.digest(photo(folder, "a.jpg", "cat")) == sha256_hex("cat"));
  CHECK(cache.digest(photo(folder, "a.jpg", "cats")) == sha256_hex("cats"));
  CHECK(cache.digest(photo(folder, "a.jpg", "dogs", 1)) == sha256_hex("dogs"));
  CHECK(cache.files_read() == 3);
  DigestCache again(folder / "digests.jsonl");
  CHECK(again.digest(folder / "a.jpg") == sha256_hex("dogs"));
  CHECK(again.files_read() == 0);
}

TEST_CASE("A file that was written just now is not remembered", "[store][digests]") {
  const TemporaryFolder folder;
  write_file_atomically(folder / "new.jpg", "cat");
  DigestCache cache(folder / "digests.jsonl");
  CHECK(cache.digest(folder / "new.jpg") == sha256_hex("cat"));
  write_file_atomically(folder / "new.jpg", "dog");
  CHECK(cache.digest(folder / "new.jpg") == sha256_hex("dog"));
}

TEST_CASE("Torn and damaged lines of the cache cost their own file alone", "[store][digests]") {
  const TemporaryFolder folder;
  const auto remembered = folder / "digests.jsonl";
  const std::vector<fs::path> files{photo(folder, "a", "1"), photo(folder, "b", "2"), photo(folder, "c", "3")};
  {
    DigestCache cache(remembered);
    for (const auto& file : files) static_cast<void>(cache.digest(file));
  }
  auto text = read_text_file(remembered);
  const auto start = text.find("\n{", 1);
  for (std::size_t at = start + 1; at < text.size(); at += 7) {  // the second and the third line
    auto changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_file_atomically(remembered, changed);
    DigestCache cache(remembered);
    for (std::size_t i = 0; i < files.size(); ++i) REQUIRE(cache.digest(files[i]) == sha256_file(files[i]));
    REQUIRE(cache.files_read() <= 2);
  }
  write_file_atomically(remembered, text.substr(0, text.size() - 20));
  CHECK(DigestCache(remembered).digest(files[2]) == sha256_hex("3"));  // appended behind the torn line
  DigestCache cache(remembered);
  for (const auto& file : files) CHECK(cache.digest(file) == sha256_file(file));
  CHECK(cache.files_read() == 0);
}

TEST_CASE("A cache of nonsense, or none at all, is only slower", "[store][digests]") {
  const TemporaryFolder folder;
  const auto file = photo(folder, "a.jpg", "cat");
  write_file_atomically(folder / "digests.jsonl", std::string("\0\xff\n{}\n\n[1]\n", 12));
  CHECK(DigestCache(folder / "digests.jsonl").digest(file) == sha256_hex("cat"));
  fs::create_directory(folder / "folder");
  CHECK(DigestCache(folder / "folder").digest(file) == sha256_hex("cat"));
  CHECK(DigestCache(folder / "a.jpg" / "under").digest(file) == sha256_hex("cat"));
  CHECK(DigestCache(fs::path()).digest(file) == sha256_hex("cat"));
  CHECK_THROWS_AS(DigestCache(fs::path()).digest(folder / "none"), Error);
}

TEST_CASE("A blob of the hub's cache bears its digest as its name, through links too", "[store][digests]") {
  const TemporaryFolder folder;
  const std::string digest(64, 'c');
  const auto blobs = folder / "models--a--b" / "blobs";
  fs::create_directories(blobs);
  write_file_atomically(blobs / digest, "weights");
  fs::create_symlink(blobs / digest, folder / "model.safetensors");
  DigestCache cache(fs::path{});
  CHECK(cache.digest(folder / "model.safetensors") == digest);
  CHECK(cache.files_read() == 0);
  write_file_atomically(folder / digest, "not of the hub");
  CHECK(cache.digest(folder / digest) == sha256_hex("not of the hub"));
}

TEST_CASE("Processes that remember at once lose nothing", "[store][digests]") {
  const TemporaryFolder folder;
  const auto remembered = folder / "digests.jsonl";
  for (int i = 0; i < 40; ++i) photo(folder, std::to_string(i), std::to_string(i));
  Gate gate;
  std::vector<Child> children;
  for (int half = 0; half < 2; ++half) {
    children.emplace_back([&, half] {
      DigestCache cache(remembered);
      gate.pass();
      for (int i = half; i < 40; i += 2) static_cast<void>(cache.digest(folder / std::to_string(i)));
      return 0;
    });
  }
  gate.open();
  for (auto& child : children) CHECK(child.wait() == 0);
  DigestCache cache(remembered);
  for (int i = 0; i < 40; ++i) CHECK(cache.digest(folder / std::to_string(i)) == sha256_hex(std::to_string(i)));
  CHECK(cache.files_read() == 0);
}
