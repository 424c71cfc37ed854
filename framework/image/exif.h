#pragma once

#include <cstdint>
#include <span>

namespace atelier {

/// The Orientation tag (0x0112) of the first directory of an EXIF block: a TIFF header, with or without "Exif\0\0"
/// before it. Returns 1 (upright) when the block is damaged, has no such tag, or the value is not 1..8: orientation is
/// a hint, and a picture with a broken hint is still a picture. Reads at most one directory, so it ends on any input.
[[nodiscard]] int exif_orientation(std::span<const std::uint8_t> block);

}  // namespace atelier
