#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "framework/image/image.h"

namespace atelier {

/// One PNG text chunk; both parts are UTF-8. The key has 1 to 79 printable ASCII characters.
struct TextChunk {
  std::string key;
  std::string text;
  bool operator==(const TextChunk&) const = default;
};

/// A PNG in memory, 8-bit RGB or grey. A text that is ASCII becomes a tEXt chunk, any other an uncompressed iTXt chunk,
/// before the pixels. The same input gives the same bytes with the same zlib. Throws Error for an empty picture, more
/// than kMaxPixels, or a key that PNG does not allow.
[[nodiscard]] std::vector<std::byte> encode_png(const Image& image, std::span<const TextChunk> texts = {});
[[nodiscard]] std::vector<std::byte> encode_png(const GreyImage& image, std::span<const TextChunk> texts = {});

/// A baseline JPEG in memory, chroma at half size, quality 1 to 100 in libjpeg's measure. The same input gives the same
/// bytes with the same libjpeg. Throws Error for an empty picture and for more than kMaxPixels.
[[nodiscard]] std::vector<std::byte> encode_jpeg(const Image& image, int quality);

/// encode_png into a file that appears whole or not at all.
void write_png(const std::filesystem::path& path, const Image& image, std::span<const TextChunk> texts = {});
void write_png(const std::filesystem::path& path, const GreyImage& image, std::span<const TextChunk> texts = {});

/// The tEXt, zTXt and iTXt chunks of a PNG in file order, as UTF-8; pixels are not decoded. Throws Error for other
/// files and damaged ones.
[[nodiscard]] std::vector<TextChunk> read_png_text(std::span<const std::byte> bytes, const std::string& where);
[[nodiscard]] std::vector<TextChunk> read_png_text(const std::filesystem::path& path);

}  // namespace atelier
