#include "framework/image/png_plain.h"

#ifdef ATELIER_LIBDEFLATE
#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>
#endif

namespace atelier::image_detail {

#ifdef ATELIER_LIBDEFLATE

namespace {

constexpr std::size_t kSignature = 8, kFrame = 12;  // a chunk's length, name and checksum
constexpr std::size_t kLongestNote = 1'000'000;     // bytes of a chunk beside the pixels; libpng has limits further up
constexpr std::uint32_t kLongestSide = 1'000'000;   // libpng's
constexpr std::size_t kPacking = 1032;              // deflate packs at most so many bytes into one

/// Chunks that change no pixel.
constexpr std::array<std::string_view, 6> kNotes{"tEXt", "pHYs", "sRGB", "gAMA", "cHRM", "tIME"};

std::uint32_t number(Bytes bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

struct Chunk {
  std::string_view name;
  Bytes data;
};

/// The chunk that `rest` begins with; nullopt where it is cut off or its checksum does not hold.
std::optional<Chunk> chunk_at(Bytes rest) {
  if (rest.size() < kFrame) return std::nullopt;
  const std::size_t length = number(rest);
  if (length > rest.size() - kFrame) return std::nullopt;
  const Bytes named = rest.subspan(4, 4 + length);
  if (libdeflate_crc32(0, named.data(), named.size()) != number(rest.subspan(8 + length, 4))) return std::nullopt;
  return Chunk{.name = {reinterpret_cast<const char*>(named.data()), 4}, .data = named.subspan(4)};
}

/// What a plain file is made of.
struct Plain {
  std::size_t width = 0, height = 0, channels = 0;
  std::vector<std::uint8_t> packed;  // a zlib stream

  [[nodiscard]] std::size_t stride() const { return width * channels; }
  [[nodiscard]] std::size_t size() const { return height * (1 + stride()); }  // each line begins with its filter
};

/// Whether the header is that of a plain file; fills in the sizes.
bool read_header(Bytes data, std::size_t file_size, Plain& plain) {
  if (data.size() != 13) return false;
  const std::uint32_t width = number(data), height = number(data.subspan(4));
  const bool rgb = data[9] == 2, rgba = data[9] == 6;
  if (data[8] != 8 || !(rgb || rgba) || data[10] != 0 || data[11] != 0 || data[12] != 0) return false;
  if (width == 0 || height == 0 || width > kLongestSide || height > kLongestSide) return false;
  if (std::uint64_t{width} * height > kMaxPixels) return false;
  plain.width = width;
  plain.height = height;
  plain.channels = rgb ? 3 : 4;
  return plain.size() / kPacking <= file_size;
}

std::optional<Plain> parts_of(Bytes bytes) {
  Plain plain;
  plain.packed.reserve(bytes.size());
  std::size_t at = kSignature, pixels_end = 0;
  while (at < bytes.size()) {
    const auto chunk = chunk_at(bytes.subspan(at));
    if (!chunk) return std::nullopt;
    const std::size_t end = at + kFrame + chunk->data.size();
    const bool first = at == kSignature;
    if (first != (chunk->name == "IHDR")) return std::nullopt;
    if (first) {
      if (!read_header(chunk->data, bytes.size(), plain)) return std::nullopt;
    } else if (chunk->name == "IDAT") {
      if (pixels_end != 0 && pixels_end != at) return std::nullopt;
      pixels_end = end;
      plain.packed.insert(plain.packed.end(), chunk->data.begin(), chunk->data.end());
    } else if (chunk->name == "IEND") {
      const bool whole = chunk->data.empty() && pixels_end != 0;
      return whole ? std::optional(std::move(plain)) : std::nullopt;
    } else if (std::ranges::count(kNotes, chunk->name) == 0 || chunk->data.size() > kLongestNote) {
      return std::nullopt;
    }
    at = end;
  }
  return std::nullopt;
}

/// The filtered lines, of a stream that is exactly theirs. A window smaller than deflate's own (0x78) is zlib's to
/// judge.
std::unique_ptr<std::uint8_t[]> unpacked(const Plain& plain) {
  if (plain.packed.empty() || plain.packed[0] != 0x78 || plain.packed.size() > plain.size()) return nullptr;
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (!decompressor) return nullptr;
  auto lines = std::make_unique_for_overwrite<std::uint8_t[]>(plain.size());
  std::size_t used = 0;
  const auto result = libdeflate_zlib_decompress_ex(decompressor.get(), plain.packed.data(), plain.packed.size(),
                                                    lines.get(), plain.size(), &used, nullptr);
  return result == LIBDEFLATE_SUCCESS && used == plain.packed.size() ? std::move(lines) : nullptr;
}

std::uint8_t byte_of(int value) { return static_cast<std::uint8_t>(value); }

/// Filter type 4 (PNG specification, 9.4): of left, above and upper left the one nearest to left + above - upper left.
template <std::size_t C>
void add_paeth(const std::uint8_t* line, const std::uint8_t* above, std::uint8_t* out, std::size_t stride) {
  std::array<int, C> left{}, corner{};
  for (std::size_t i = 0; i < stride; i += C) {
    for (std::size_t c = 0; c < C; ++c) {
      const int up = above[i + c];
      const int to_left = std::abs(up - corner[c]), to_up = std::abs(left[c] - corner[c]);
      const int to_corner = std::abs(up + left[c] - 2 * corner[c]);
      const int other = to_up <= to_corner ? up : corner[c];
      const int nearest = to_left <= to_up && to_left <= to_corner ? left[c] : other;
      out[i + c] = byte_of(line[i + c] + nearest);
      corner[c] = up;
      left[c] = out[i + c];
    }
  }
}

/// One line, `stride` bytes each. False for a filter that does not exist.
template <std::size_t C>
bool add_filter(int filter, const std::uint8_t* line, const std::uint8_t* above, std::uint8_t* out,
                std::size_t stride) {
  switch (filter) {
    case 0:
      std::memcpy(out, line, stride);
      return true;
    case 1:
      std::memcpy(out, line, C);
      for (std::size_t i = C; i < stride; ++i) out[i] = byte_of(line[i] + out[i - C]);
      return true;
    case 2:
      for (std::size_t i = 0; i < stride; ++i) out[i] = byte_of(line[i] + above[i]);
      return true;
    case 3:
      for (std::size_t i = 0; i < C; ++i) out[i] = byte_of(line[i] + above[i] / 2);
      for (std::size_t i = C; i < stride; ++i) out[i] = byte_of(line[i] + (out[i - C] + above[i]) / 2);
      return true;
    case 4:
      add_paeth<C>(line, above, out, stride);
      return true;
    default:
      return false;
  }
}

template <std::size_t C>
bool unfilter(const Plain& plain, const std::uint8_t* lines, std::uint8_t* out) {
  const std::size_t stride = plain.stride();
  const std::vector<std::uint8_t> nothing(stride);
  const std::uint8_t* above = nothing.data();
  for (std::size_t y = 0; y < plain.height; ++y) {
    if (!add_filter<C>(lines[0], lines + 1, above, out, stride)) return false;
    above = out;
    lines += 1 + stride;
    out += stride;
  }
  return true;
}

}  // namespace

std::optional<Decoded> decode_plain_png(Bytes bytes) {
  const auto plain = parts_of(bytes);
  const auto lines = plain ? unpacked(*plain) : nullptr;
  if (!lines) return std::nullopt;
  std::vector<std::uint8_t> pixels(plain->stride() * plain->height);
  const bool rgb = plain->channels == 3;
  if (!(rgb ? unfilter<3>(*plain, lines.get(), pixels.data()) : unfilter<4>(*plain, lines.get(), pixels.data()))) {
    return std::nullopt;
  }
  const Size size{static_cast<int>(plain->width), static_cast<int>(plain->height)};
  Decoded decoded;
  if (rgb) {
    decoded.image = {size.width, size.height, std::move(pixels)};
  } else {
    split_rgba(pixels, size, decoded);
  }
  return decoded;
}

#else

std::optional<Decoded> decode_plain_png(Bytes) { return std::nullopt; }

#endif

}  // namespace atelier::image_detail
