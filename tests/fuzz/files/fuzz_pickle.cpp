// Whatever the bytes are: an Error, or a tree whose tensors lie inside them. Bytes that are no container are also tried
// as the data.pkl of a zip file, since a fuzzer hardly finds its way through the container to the pickle.
#include <cstdint>
#include <cstring>
#include <string>

#include "framework/core/error.h"
#include "framework/files/file_kind.h"
#include "framework/files/pickle_reader.h"
#include "tests/framework/files/zip_writer.h"
#include "tests/fuzz/files/touch.h"

namespace {

void read(std::span<const std::byte> bytes) {
  try {
    touch(flatten_pickle(atelier::parse_pickle(bytes, "fuzz")));
  } catch (const atelier::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  read(bytes);
  if (atelier::sniff_file_kind(bytes) == atelier::FileKind::other && size < 0xffff) {
    const std::string pickle(reinterpret_cast<const char*>(data), size);
    const std::string file =
        ZipWriter{.entries = {{"x/data.pkl", pickle}, {"x/data/0", std::string(24, '\1')}}}.bytes();
    read(std::as_bytes(std::span(file)));
  }
  return 0;
}
