// Any bytes: the texts of a PNG or an Error. Seeds: tests/framework/image/data.
#include <cstdint>
#include <span>

#include "framework/core/error.h"
#include "framework/image/encode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    (void)atelier::read_png_text(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const atelier::Error&) {
  }
  return 0;
}
