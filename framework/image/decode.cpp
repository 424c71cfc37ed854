#include "framework/image/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/image/decoders.h"
#include "framework/image/geometry.h"

namespace atelier {
namespace image_detail {

void check_dimensions(std::uint64_t width, std::uint64_t height, const std::string& where) {
  if (width > 0 && height > 0 && width <= kMaxPixels && height <= kMaxPixels / width) return;
  throw Error({.where = where,
               .found = fmt::format("a picture of {}x{} pixels", width, height),
               .expected = fmt::format("1 to {} pixels", kMaxPixels),
               .advice = "scale the picture down first"});
}

void throw_damaged(const std::string& where, const char* format, const std::string& what) {
  throw Error({.where = where,
               .found = fmt::format("damaged {}: {}", format, what),
               .expected = fmt::format("a whole {} file", format),
               .advice = "copy or export the picture again"});
}

void split_rgba(std::span<const std::uint8_t> rgba, Size size, Decoded& out) {
  out.image = make_raster<Image>(size);
  out.alpha = make_raster<GreyImage>(size);
  std::uint8_t* rgb = out.image.pixels.data();
  for (std::size_t i = 0; i < out.alpha.pixels.size(); ++i) {
    std::copy_n(rgba.data() + 4 * i, 3, rgb + 3 * i);
    out.alpha.pixels[i] = rgba[4 * i + 3];
  }
}

}  // namespace image_detail

namespace {

using image_detail::Bytes;

bool starts_with(Bytes bytes, std::size_t offset, std::string_view signature) {
  return bytes.size() >= offset + signature.size() &&
         std::memcmp(bytes.data() + offset, signature.data(), signature.size()) == 0;
}

Decoded decode_as_stored(Bytes bytes, const std::string& where) {
  if (starts_with(bytes, 0, "\xff\xd8\xff")) return image_detail::decode_jpeg(bytes, where);
  if (starts_with(bytes, 0, "\x89PNG\r\n\x1a\n")) return image_detail::decode_png(bytes, where);
  if (starts_with(bytes, 0, "RIFF") && starts_with(bytes, 8, "WEBP")) return image_detail::decode_webp(bytes, where);
  throw Error({.where = where,
               .found = bytes.empty() ? "an empty file" : "not a picture in a known format",
               .expected = "JPEG, PNG or WebP",
               .advice = "convert it to PNG"});
}

/// Pillow's way with alpha over an opaque ground: one division by 255, rounded.
Image composite(const Decoded& decoded, const Colour& ground) {
  Image out = decoded.image;
  const std::uint8_t under[] = {ground.red, ground.green, ground.blue};
  for (std::size_t i = 0; i < decoded.alpha.pixels.size(); ++i) {
    const int alpha = decoded.alpha.pixels[i];
    for (std::size_t c = 0; c < 3; ++c) {
      std::uint8_t& value = out.pixels[3 * i + c];
      value = static_cast<std::uint8_t>((value * alpha + under[c] * (255 - alpha) + 127) / 255);
    }
  }
  return out;
}

[[noreturn]] void throw_transparent(const std::string& where) {
  throw Error({.where = where,
               .found = "a picture with transparency",
               .expected = "an opaque picture",
               .advice = "say what becomes of it: alpha=drop or alpha=black, white, grey, #rrggbb"});
}

}  // namespace

bool Decoded::opaque() const {
  return std::all_of(alpha.pixels.begin(), alpha.pixels.end(), [](std::uint8_t value) { return value == 255; });
}

Decoded decode(std::span<const std::byte> bytes, const std::string& where, ExifRule exif) {
  Decoded decoded = decode_as_stored({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, where);
  if (exif == ExifRule::apply && decoded.orientation != 1) {
    decoded.image = orient(decoded.image, decoded.orientation);
    if (!decoded.alpha.pixels.empty()) decoded.alpha = orient(decoded.alpha, decoded.orientation);
  }
  return decoded;
}

Decoded decode_file(const std::filesystem::path& path, ExifRule exif) {
  const auto file = MappedFile::open(path);
  return decode(file->bytes(), path.string(), exif);
}

Image flatten(Decoded decoded, const AlphaRule& rule, const std::string& where) {
  if (rule.kind == AlphaRule::Kind::official) {
    throw Error({.where = "alpha",
                 .found = "official",
                 .expected = "refuse, drop or a colour",
                 .advice = "only the front end clip-openai has alpha=official"},
                ErrorKind::usage);
  }
  if (decoded.opaque() || rule.kind == AlphaRule::Kind::drop) return std::move(decoded.image);
  if (rule.kind == AlphaRule::Kind::refuse) throw_transparent(where);
  return composite(decoded, rule.colour);
}

Image load_image(const std::filesystem::path& path, const DecodeOptions& options) {
  return flatten(decode_file(path, options.exif), options.alpha, path.string());
}

Mask load_mask(const std::filesystem::path& path, ExifRule exif) {
  return to_mask(decode_file(path, exif), path.string());
}

Mask to_mask(Decoded decoded, const std::string& where) {
  const Image image = flatten(std::move(decoded), {}, where);
  Mask mask = make_raster<Mask>(image.size());
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    const std::uint8_t* pixel = image.pixels.data() + 3 * i;
    if (pixel[0] != pixel[1] || pixel[0] != pixel[2]) {
      throw Error({.where = where,
                   .found = "a colour picture",
                   .expected = "a grey mask",
                   .advice = "save the mask as 8-bit grey PNG"});
    }
    mask.pixels[i] = pixel[0];
  }
  return mask;
}

}  // namespace atelier
