// Whatever the bytes are: an Error, or views inside them.
#include <cstdint>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "tests/fuzz/files/touch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    touch(atelier::parse_safetensors(std::as_bytes(std::span(data, size)), "fuzz"));
  } catch (const atelier::Error&) {
  }
  return 0;
}
