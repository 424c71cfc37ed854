#include "framework/image/encode.h"

#include <png.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <string_view>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/image/decoders.h"
#include "framework/image/png_reader.h"

namespace atelier {
namespace {

constexpr std::size_t kMaxChunk = 8'000'000;  // of an unpacked text, libpng's own limit

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128 && c != 0; });
}

/// What PNG asks of a keyword, less the Latin-1 letters that nobody uses: printable ASCII, no blank at either end or
/// twice.
void check_key(const std::string& key) {
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c >= 32 && c < 127; });
  if (!key.empty() && key.size() <= 79 && printable && key.front() != ' ' && key.back() != ' ' &&
      key.find("  ") == std::string::npos) {
    return;
  }
  throw Error({.where = "PNG text",
               .found = fmt::format("the key \"{}\"", key),
               .expected = "1 to 79 printable ASCII characters without outer or double blanks"});
}

/// libpng's writing state into memory. Errors come back by longjmp, as in PngReader.
class PngWriter {
 public:
  PngWriter() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, &on_error, [](png_structp, png_const_charp) {});
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_write_struct(&png_, nullptr);
      throw Error({.where = "PNG", .found = "libpng cannot be started"});
    }
    png_set_write_fn(png_, this, &on_write, [](png_structp) {});
  }
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  template <typename Step>
  void guarded(const Step& step) {
    if (!run(step)) throw Error({.where = "PNG", .found = fmt::format("cannot be written: {}", message_.data())});
  }

  [[nodiscard]] png_structp png() const { return png_; }
  [[nodiscard]] png_infop info() const { return info_; }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  template <typename Step>
  bool run(const Step& step) {
    if (setjmp(escape_) != 0) return false;
    step();
    return true;
  }

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngWriter*>(png_get_error_ptr(png));
    std::strncpy(self->message_.data(), message, self->message_.size() - 1);
    std::longjmp(self->escape_, 1);
  }

  /// No exception may cross libpng, so a full memory becomes a libpng error.
  static void on_write(png_structp png, png_bytep data, std::size_t size) {
    auto* self = static_cast<PngWriter*>(png_get_io_ptr(png));
    if (!self->append(data, size)) png_error(png, "not enough memory");
  }
  bool append(const unsigned char* data, std::size_t size) noexcept {
    try {
      const auto* first = reinterpret_cast<const std::byte*>(data);
      bytes_.insert(bytes_.end(), first, first + size);
      return true;
    } catch (...) {
      return false;
    }
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::vector<std::byte> bytes_;
  std::jmp_buf escape_ = {};
  std::array<char, 200> message_ = {};
};

/// libpng's view of the chunks; it wants mutable pointers and writes through none of them.
std::vector<png_text> libpng_texts(std::span<const TextChunk> texts) {
  std::vector<png_text> chunks;
  for (const TextChunk& text : texts) {
    check_key(text.key);
    if (text.text.find('\0') != std::string::npos) {
      throw Error({.where = "PNG text " + text.key, .found = "a NUL character", .expected = "text"});
    }
    png_text chunk = {};
    chunk.key = const_cast<char*>(text.key.c_str());
    chunk.text = const_cast<char*>(text.text.c_str());
    if (is_ascii(text.text)) {
      chunk.compression = PNG_TEXT_COMPRESSION_NONE;
      chunk.text_length = text.text.size();
    } else {
      chunk.compression = PNG_ITXT_COMPRESSION_NONE;
      chunk.itxt_length = text.text.size();
    }
    chunks.push_back(chunk);
  }
  return chunks;
}

template <typename Picture>
std::vector<std::byte> encode(const Picture& image, std::span<const TextChunk> texts) {
  const auto side = [](int length) { return static_cast<std::uint32_t>(std::max(length, 0)); };
  image_detail::check_dimensions(side(image.width), side(image.height), "PNG");
  const auto chunks = libpng_texts(texts);
  PngWriter writer;
  writer.guarded([&] {
    png_set_IHDR(writer.png(), writer.info(), side(image.width), side(image.height), 8,
                 Picture::kChannels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(writer.png(), 6);
    if (!chunks.empty()) png_set_text(writer.png(), writer.info(), chunks.data(), static_cast<int>(chunks.size()));
    png_write_info(writer.png(), writer.info());
    for (int y = 0; y < image.height; ++y) png_write_row(writer.png(), image.row(y));
    png_write_end(writer.png(), nullptr);
  });
  return writer.take();
}

std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 128) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | (code >> 6));
      out += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return out;
}

TextChunk from_libpng(const png_text& chunk) {
  const bool international = chunk.compression >= PNG_ITXT_COMPRESSION_NONE;
  const std::string_view text(chunk.text, international ? chunk.itxt_length : chunk.text_length);
  return {latin1_to_utf8(chunk.key), international ? std::string(text) : latin1_to_utf8(text)};
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image, std::span<const TextChunk> texts) { return encode(image, texts); }
std::vector<std::byte> encode_png(const GreyImage& image, std::span<const TextChunk> texts) {
  return encode(image, texts);
}

void write_png(const std::filesystem::path& path, const Image& image, std::span<const TextChunk> texts) {
  AtomicFile file(path);
  file.write(encode_png(image, texts));
  file.commit();
}

void write_png(const std::filesystem::path& path, const GreyImage& image, std::span<const TextChunk> texts) {
  AtomicFile file(path);
  file.write(encode_png(image, texts));
  file.commit();
}

std::vector<TextChunk> read_png_text(std::span<const std::byte> bytes, const std::string& where) {
  image_detail::PngReader reader({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, where);
  reader.guarded([&] {
    // The pixels are skipped, because texts may follow them: libpng hands a chunk over whole, and we call it done.
    constexpr png_byte kPixels[] = "IDAT";
    png_set_keep_unknown_chunks(reader.png(), PNG_HANDLE_CHUNK_NEVER, kPixels, 1);
    png_set_read_user_chunk_fn(reader.png(), nullptr, [](png_structp, png_unknown_chunkp) { return 1; });
    png_set_chunk_malloc_max(reader.png(), std::max(bytes.size() + 1, kMaxChunk));
    png_read_info(reader.png(), reader.info());
    png_read_end(reader.png(), reader.info());
  });
  png_textp chunks = nullptr;
  int count = 0;
  png_get_text(reader.png(), reader.info(), &chunks, &count);
  std::vector<TextChunk> texts;
  for (int i = 0; i < count; ++i) texts.push_back(from_libpng(chunks[i]));
  return texts;
}

std::vector<TextChunk> read_png_text(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return read_png_text(file->bytes(), path.string());
}

}  // namespace atelier
