// Files put together at random from the pieces that the formats are made of. The seeds are fixed: the same files each
// time.
#include <random>

#include "framework/files/pickle_reader.h"
#include "framework/files/safetensors.h"
#include "tests/framework/files/fixture.h"
#include "tests/framework/files/zip_writer.h"

namespace {

using Pieces = std::vector<std::string>;

std::string random_text(const Pieces& pieces, std::size_t count, std::mt19937& random) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += pieces[random() % pieces.size()];
  return text;
}

/// Every view lies inside `bytes`.
void check_inside(const atelier::TensorFile& file, const std::string& bytes) {
  for (const auto& [name, view] : file.tensors) {
    if (view.bytes.empty()) continue;
    REQUIRE(static_cast<const void*>(view.bytes.data()) >= bytes.data());
    REQUIRE(static_cast<const void*>(view.bytes.data() + view.bytes.size()) <= bytes.data() + bytes.size());
  }
}

}  // namespace

TEST_CASE("random sequences of pickle operations end in an Error or a value", "[files][pickle]") {
  using namespace std::string_literals;
  const std::string storage = "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\4tQ"s;
  const std::string rebuild = "ctorch._utils\n_rebuild_tensor_v2\n"s;
  const std::string tensor = rebuild + "(" + storage + "K\0K\2K\2\x86K\2K\1\x86\x89NtR"s;
  const Pieces pieces = {"("s,
                         "0"s,
                         "1"s,
                         "2"s,
                         "N"s,
                         "\x88"s,
                         "K\0"s,
                         "K\2"s,
                         "J\xff\xff\xff\xff"s,
                         "\x8a\x01\xff"s,
                         "G\x3f\xf0\0\0\0\0\0\0"s,
                         "X\1\0\0\0a"s,
                         "X\1\0\0\0b"s,
                         "C\4abcd"s,
                         ")"s,
                         "\x85"s,
                         "\x86"s,
                         "\x87"s,
                         "t"s,
                         "l"s,
                         "d"s,
                         "}"s,
                         "]"s,
                         "\x8f"s,
                         "a"s,
                         "e"s,
                         "s"s,
                         "u"s,
                         "q\0"s,
                         "q\1"s,
                         "h\0"s,
                         "h\1"s,
                         "\x94"s,
                         "cos\nsystem\n"s,
                         "ccollections\nOrderedDict\n"s,
                         "ctorch._utils\n_rebuild_parameter\n"s,
                         "ctorch\nSize\n"s,
                         "cnumpy\ndtype\n"s,
                         "cnumpy.core.multiarray\nscalar\n"s,
                         "c_codecs\nencode\n"s,
                         "R"s,
                         "\x81"s,
                         "\x92"s,
                         "b"s,
                         "Q"s,
                         "\x93"s,
                         storage,
                         rebuild,
                         tensor,
                         tensor};
  std::mt19937 random(1);
  std::size_t read = 0;
  std::size_t tensors = 0;
  for (int i = 0; i < 30'000; ++i) {
    const std::string opcodes = random_text(pieces, 1 + random() % 24, random);
    const std::string bytes =
        ZipWriter{.entries = {{"x/data.pkl", "\x80\x02" + opcodes + "."}, {"x/data/0", std::string(16, '\1')}}}.bytes();
    (void)error_of([&] {
      const auto file = flatten_pickle(atelier::parse_pickle(as_bytes(bytes), "x.pt"));
      check_inside(file, bytes);
      ++read;
      tensors += file.tensors.size();
    });
  }
  CHECK(read > 1000);
  CHECK(tensors > 100);
}

TEST_CASE("random sequences of JSON tokens as a safetensors header end in an Error or a file", "[files][safetensors]") {
  const Pieces values = {"null",  "1",     "-1",     "2.0", "\"a\"",   "[]",    "[2]",
                         "[0,8]", "[8,8]", "[8,16]", "{}",  "\"F32\"", "\"U8\""};
  const Pieces keys = {"\"dtype\":", "\"shape\":", "\"data_offsets\":", "\"x\":"};
  const Pieces good = {
      R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", R"({"dtype":"F32","shape":[2],"data_offsets":[8,16]})",
      R"({"dtype":"I64","shape":[0],"data_offsets":[8,8]})", R"({"dtype":"F64","shape":[2],"data_offsets":[0,16]})"};
  const Pieces names = {"\"a\":", "\"b\":", "\"c\":", "\"__metadata__\":"};
  std::mt19937 random(2);
  std::size_t read = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string header = "{";
    for (std::size_t entries = random() % 4; entries > 0; --entries) {
      header += random_text(names, 1, random);
      if (random() % 4 != 0) {
        header += random_text(good, 1, random);
      } else {
        header += "{" + random_text(keys, 1, random) + random_text(values, 1, random) + "," +
                  random_text(keys, 1, random) + random_text(values, 1, random) + "}";
      }
      if (entries > 1) header += ",";
    }
    header += "}";
    const std::string bytes =
        little_endian<std::uint64_t>(header.size()) + header + std::string(8 * (random() % 3), '\1');
    (void)error_of([&] {
      check_inside(atelier::parse_safetensors(as_bytes(bytes), "x"), bytes);
      ++read;
    });
  }
  CHECK(read > 1000);
}
