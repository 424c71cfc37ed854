#include <png.h>

#include <fmt/format.h>

#include <array>
#include <csetjmp>
#include <cstring>

#include "framework/core/error.h"
#include "framework/image/decoders.h"
#include "framework/image/exif.h"
#include "framework/image/png_plain.h"
#include "framework/image/png_reader.h"

namespace atelier::image_detail {
namespace {

/// Deflate packs at most 1032 to 1: a file too short for its pixels is refused before they get memory.
void check_length(png_structp png, png_infop info, std::size_t bytes, const std::string& where) {
  const std::uint64_t height = png_get_image_height(png, info);
  const std::uint64_t raw = std::uint64_t{png_get_rowbytes(png, info)} * height;
  if (raw / 1032 <= bytes) return;
  throw_damaged(where, "PNG",
                fmt::format("{} bytes cannot hold {}x{} pixels", bytes, png_get_image_width(png, info), height));
}

/// Anything to 8-bit RGB or RGBA.
void set_transformations(png_structp png) {
  png_set_expand(png);  // palette to RGB, grey to 8 bit, tRNS to alpha
  png_set_strip_16(png);
  png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
}

int orientation_of(PngReader& reader) {
  png_bytep block = nullptr;
  png_uint_32 size = 0;
  if (png_get_eXIf_1(reader.png(), reader.info(), &size, &block) == 0) return 1;
  return exif_orientation({block, size});
}

}  // namespace

PngReader::PngReader(Bytes bytes, const std::string& where) : where_(where), rest_(bytes) {
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &on_error, [](png_structp, png_const_charp) {});
  info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
  if (info_ == nullptr) {
    png_destroy_read_struct(&png_, nullptr, nullptr);
    throw Error({.where = where, .found = "libpng cannot be started"});
  }
  png_set_read_fn(png_, this, &on_read);
}

PngReader::~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

void PngReader::on_error(png_structp png, png_const_charp message) {
  auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
  std::strncpy(self->message_.data(), message, self->message_.size() - 1);
  std::longjmp(self->escape_, 1);
}

void PngReader::on_read(png_structp png, png_bytep out, std::size_t size) {
  auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
  if (size > self->rest_.size()) png_error(png, "the data end early");
  std::memcpy(out, self->rest_.data(), size);
  self->rest_ = self->rest_.subspan(size);
}

void PngReader::fail() const { throw_damaged(where_, "PNG", message_.data()); }

Decoded decode_png(Bytes bytes, const std::string& where, bool through_libdeflate) {
  if (through_libdeflate) {
    if (auto plain = decode_plain_png(bytes)) return *std::move(plain);
  }
  PngReader reader(bytes, where);
  png_structp png = reader.png();
  png_infop info = reader.info();
  reader.guarded([&] { png_read_info(png, info); });
  const Size size{static_cast<int>(png_get_image_width(png, info)), static_cast<int>(png_get_image_height(png, info))};
  check_dimensions(png_get_image_width(png, info), png_get_image_height(png, info), where);
  check_length(png, info, bytes.size(), where);
  reader.guarded([&] {
    set_transformations(png);
    png_read_update_info(png, info);
  });
  const std::size_t stride = png_get_rowbytes(png, info);
  std::vector<std::uint8_t> pixels(stride * static_cast<std::size_t>(size.height));
  std::vector<png_bytep> rows(static_cast<std::size_t>(size.height));
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = pixels.data() + y * stride;
  reader.guarded([&] {
    png_read_image(png, rows.data());
    png_read_end(png, info);
  });
  Decoded decoded;
  decoded.orientation = orientation_of(reader);
  if (png_get_channels(png, info) == 4) {
    decoded.key_alpha = png_get_valid(png, info, PNG_INFO_tRNS) != 0;
    split_rgba(pixels, size, decoded);
  } else {
    decoded.image = {size.width, size.height, std::move(pixels)};
  }
  return decoded;
}

}  // namespace atelier::image_detail
