#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "framework/image/decode.h"

// Internal: one function per file format. Each returns the picture as stored, with the orientation still to be applied.
namespace atelier::image_detail {

using Bytes = std::span<const std::uint8_t>;

[[nodiscard]] Decoded decode_jpeg(Bytes bytes, const std::string& where);
/// `through_libdeflate`: plain files are unpacked by it (png_plain.h), which changes nothing but the time.
[[nodiscard]] Decoded decode_png(Bytes bytes, const std::string& where, bool through_libdeflate = true);
[[nodiscard]] Decoded decode_webp(Bytes bytes, const std::string& where);

/// Throws Error when width or height is 0 or the product exceeds kMaxPixels.
void check_dimensions(std::uint64_t width, std::uint64_t height, const std::string& where);

/// The Error of a file that its library gave up on. `format` as in "JPEG".
[[noreturn]] void throw_damaged(const std::string& where, const char* format, const std::string& what);

/// Splits [H,W,4] into image and alpha.
void split_rgba(std::span<const std::uint8_t> rgba, Size size, Decoded& out);

}  // namespace atelier::image_detail
