// Any bytes: an orientation from 1 to 8.
#include <cstdint>

#include "framework/image/exif.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int orientation = atelier::exif_orientation({data, size});
  if (orientation < 1 || orientation > 8) __builtin_trap();
  return 0;
}
