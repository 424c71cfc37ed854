#include <fmt/format.h>
#include <webp/decode.h>

#include <cstring>

#include "framework/core/error.h"
#include "framework/image/decoders.h"
#include "framework/image/exif.h"

namespace atelier::image_detail {
namespace {

const char* status_text(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "not enough memory";
    case VP8_STATUS_BITSTREAM_ERROR:
      return "damaged bit stream";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "a feature libwebp does not know";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "the data end early";
    default:
      return "libwebp refused it";
  }
}

std::size_t read_u32(Bytes bytes, std::size_t offset) {
  std::size_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = (value << 8) | bytes[offset + i];
  return value;
}

/// The EXIF chunk of the RIFF container; chunks are padded to even sizes.
int orientation_of(Bytes bytes) {
  std::size_t offset = 12;
  while (bytes.size() >= 8 && offset <= bytes.size() - 8) {
    const std::size_t size = read_u32(bytes, offset + 4);
    const Bytes rest = bytes.subspan(offset + 8);
    if (size > rest.size()) return 1;
    if (std::memcmp(bytes.data() + offset, "EXIF", 4) == 0) return exif_orientation(rest.first(size));
    offset += 8 + size + size % 2;
  }
  return 1;
}

WebPBitstreamFeatures read_features(Bytes bytes, const std::string& where) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &features);
  if (status != VP8_STATUS_OK) throw_damaged(where, "WebP", status_text(status));
  if (features.has_animation) {
    throw Error({.where = where,
                 .found = "an animated WebP",
                 .expected = "one picture",
                 .advice = "save the frame you want as PNG"});
  }
  return features;
}

}  // namespace

Decoded decode_webp(Bytes bytes, const std::string& where) {
  const auto features = read_features(bytes, where);
  const Size size{features.width, features.height};
  check_dimensions(static_cast<std::uint64_t>(size.width), static_cast<std::uint64_t>(size.height), where);
  const int channels = features.has_alpha ? 4 : 3;
  const int stride = size.width * channels;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(stride) * static_cast<std::size_t>(size.height));
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) throw Error({.where = where, .found = "libwebp cannot be started"});
  config.output.colorspace = features.has_alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {.rgba = pixels.data(), .stride = stride, .size = pixels.size()};
  const VP8StatusCode status = WebPDecode(bytes.data(), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) throw_damaged(where, "WebP", status_text(status));
  Decoded decoded;
  decoded.orientation = orientation_of(bytes);
  if (features.has_alpha) {
    split_rgba(pixels, size, decoded);
  } else {
    decoded.image = {size.width, size.height, std::move(pixels)};
  }
  return decoded;
}

}  // namespace atelier::image_detail
