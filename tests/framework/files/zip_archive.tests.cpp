#include "framework/files/zip_archive.h"

#include "tests/framework/files/fixture.h"
#include "tests/framework/files/zip_writer.h"

using atelier::ZipArchive;
using Catch::Contains;

namespace {

std::string zip_refusal(const std::string& bytes) {
  return error_of([&] { (void)ZipArchive::parse(as_bytes(bytes), "x.zip"); });
}

std::string text(const ZipArchive::Entry& entry) {
  return {reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size()};
}

std::string replaced(std::string bytes, std::size_t at, const std::string& with) {
  return bytes.replace(at, with.size(), with);
}

}  // namespace

TEST_CASE("a zip file's stored entries are views, with and without zip64 records", "[files][zip]") {
  for (const bool zip64 : {false, true}) {
    const std::string bytes =
        ZipWriter{.entries = {{"a/x", "hello"}, {"a/", ""}, {"b", "wor"}}, .zip64 = zip64}.bytes();
    const auto archive = ZipArchive::parse(as_bytes(bytes), "x.zip");
    CHECK(archive.entries().size() == 3);
    CHECK(text(*archive.find("a/x")) == "hello");
    CHECK(text(*archive.find("b")) == "wor");
    CHECK(archive.find("c") == nullptr);
    CHECK(bytes.substr(archive.find("b")->offset, 3) == "wor");
  }
  CHECK(ZipArchive::parse(as_bytes(ZipWriter{}.bytes()), "x.zip").entries().empty());
}

TEST_CASE("a comment may follow the zip's end, other bytes may not", "[files][zip]") {
  std::string bytes = ZipWriter{.entries = {{"a", "hello"}}}.bytes();
  CHECK_THAT(zip_refusal(bytes + "x"), Contains("central directory"));
  bytes[bytes.size() - 2] = 3;
  CHECK(zip_refusal(bytes + "abc").empty());
  CHECK_FALSE(zip_refusal(bytes + "ab").empty());
  CHECK_FALSE(zip_refusal("x" + ZipWriter{.entries = {{"a", "hello"}}}.bytes()).empty());  // another file in front
}

TEST_CASE("compressed, encrypted and repeated zip entries are refused by name", "[files][zip]") {
  CHECK_THAT(zip_refusal(ZipWriter{.entries = {{"a", "hello", 8}}}.bytes()), Contains("\"a\" compressed by method 8"));
  for (const std::uint16_t flag : std::initializer_list<std::uint16_t>{0x0001, 0x0040, 0x2000}) {
    CHECK_THAT(zip_refusal(ZipWriter{.entries = {{"a", "hello", 0, flag}}}.bytes()), Contains("encrypted entry \"a\""));
  }
  CHECK_THAT(zip_refusal(ZipWriter{.entries = {{"a", "1"}, {"a", "2"}}}.bytes()), Contains("\"a\" twice"));
}

TEST_CASE("zip entries that overlap or contradict their header are refused", "[files][zip]") {
  const std::string inner = ZipWriter{.entries = {{"in", "x"}}}.bytes().substr(0, 33);  // a whole header with its data
  const std::string outer = ZipWriter{.entries = {{"out", inner}, {"in", "x"}}}.bytes();
  const std::size_t second = outer.rfind("PK\x01\x02");
  // The directory's second entry now points at the header inside the first entry's data, byte 30 + 3.
  CHECK_THAT(zip_refusal(replaced(outer, second + 42, little_endian<std::uint32_t>(33))),
             Contains("\"in\" inside \"out\""));
  const std::string plain = ZipWriter{.entries = {{"a", "hello"}}}.bytes();
  CHECK_THAT(zip_refusal(replaced(plain, 30, "b")), Contains("contradicts the directory"));
  CHECK_THAT(zip_refusal(replaced(plain, 18, little_endian<std::uint32_t>(4))), Contains("contradicts the directory"));
}

TEST_CASE("zip sizes and offsets beyond the file are refused", "[files][zip]") {
  const std::string plain = ZipWriter{.entries = {{"a", "hello"}}}.bytes();
  const std::size_t central = plain.find("PK\x01\x02");
  const std::size_t end = plain.find("PK\x05\x06");
  for (const std::uint32_t value : {0xfffffffeu, 0xffffffffu, 0x7fffffffu, 1000u}) {
    const std::string wrong = little_endian(value);
    CHECK_FALSE(zip_refusal(replaced(plain, central + 42, wrong)).empty());
    CHECK_FALSE(zip_refusal(replaced(replaced(plain, central + 20, wrong), central + 24, wrong)).empty());
    CHECK_FALSE(zip_refusal(replaced(plain, end + 12, wrong)).empty());
    CHECK_FALSE(zip_refusal(replaced(plain, end + 16, wrong)).empty());
  }
  CHECK_THAT(zip_refusal(replaced(plain, end + 10, "\xfe\xff")), Contains("65534 entries"));
  const std::string wide = ZipWriter{.entries = {{"a", "hello"}}, .zip64 = true}.bytes();
  const std::size_t locator = wide.find("PK\x06\x07");
  for (const std::uint64_t value :
       {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{wide.size()}, std::uint64_t{0}}) {
    CHECK_FALSE(zip_refusal(replaced(wide, locator + 8, little_endian(value))).empty());
    CHECK_FALSE(zip_refusal(replaced(wide, wide.find("PK\x06\x06") + 32, little_endian(value))).empty());
    CHECK_FALSE(zip_refusal(replaced(wide, wide.find("PK\x06\x06") + 40, little_endian(value))).empty());
  }
}

TEST_CASE("two zip end records that contradict each other are refused", "[files][zip]") {
  const std::string wide = ZipWriter{.entries = {{"a", "hello"}}, .zip64 = true}.bytes();
  CHECK_THAT(zip_refusal(replaced(wide, wide.size() - 12, std::string("\x02\x00", 2))),
             Contains("contradict each other"));
  CHECK_THAT(zip_refusal(replaced(wide, wide.size() - 18, std::string("\x01\x00", 2))), Contains("several parts"));
}

TEST_CASE("a zip file cut at any byte is refused, and one with a flipped byte never reads outside", "[files][zip]") {
  for (const bool zip64 : {false, true}) {
    const std::string bytes = ZipWriter{.entries = {{"a/x", "hello"}, {"b", "wor"}}, .zip64 = zip64}.bytes();
    for (std::size_t size = 0; size < bytes.size(); ++size) CHECK_FALSE(zip_refusal(bytes.substr(0, size)).empty());
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (unsigned flip = 1; flip < 256; flip <<= 1) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ flip);
        (void)error_of([&] {
          const auto archive = ZipArchive::parse(as_bytes(damaged), "x.zip");
          for (const auto& [name, entry] : archive.entries()) {
            REQUIRE(entry.offset + entry.bytes.size() <= damaged.size());
          }
        });
      }
    }
  }
}
