// Any bytes: a picture or an Error. Seeds: tests/framework/image/data.
#include <cstdint>
#include <span>

#include "framework/core/error.h"
#include "framework/image/decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto decoded = atelier::decode(std::as_bytes(std::span(data, size)), "fuzz");
    if (decoded.image.pixels.size() != decoded.image.stride() * static_cast<std::size_t>(decoded.image.height)) {
      __builtin_trap();
    }
  } catch (const atelier::Error&) {
  }
  return 0;
}
