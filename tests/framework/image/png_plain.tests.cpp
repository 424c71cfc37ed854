// PNG files unpacked by libdeflate against libpng alone: the same pixels, and of damaged files the same answer.
#include "framework/image/png_plain.h"

#include <algorithm>

#include "framework/core/error.h"
#include "framework/image/decoders.h"
#include "framework/image/encode.h"
#include "tests/framework/image/references.h"

using namespace atelier;
using image_detail::Bytes;

namespace {

using File = std::vector<std::uint8_t>;

/// Every PNG of the references: all colour types and depths, interlaced, with and without transparency, gamma, EXIF.
std::vector<File> all_files() {
  std::vector<File> files;
  for (const auto& entry : std::filesystem::directory_iterator(references::folder())) {
    if (entry.path().extension() != ".png") continue;
    const auto file = MappedFile::open(entry.path());
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(file->bytes().data());
    files.emplace_back(bytes, bytes + file->bytes().size());
  }
  return files;
}

/// Pixels, transparency and orientation, or the words of the error.
std::string outcome(const File& file, bool through_libdeflate) {
  try {
    const Decoded decoded = image_detail::decode_png(file, "file", through_libdeflate);
    std::string text = std::to_string(decoded.image.width) + " " + std::to_string(decoded.orientation) + " " +
                       std::to_string(decoded.key_alpha) + " ";
    text.append(decoded.image.pixels.begin(), decoded.image.pixels.end());
    return text.append(decoded.alpha.pixels.begin(), decoded.alpha.pixels.end());
  } catch (const Error& error) {
    return error.what();
  }
}

void check_same(const File& file) {
  if (outcome(file, true) == outcome(file, false)) return;  // without a macro for each of many thousands
  CAPTURE(file.size());
  CHECK(outcome(file, true) == outcome(file, false));
}

std::uint32_t chunk_sum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0xFFFFFFFFu;
  for (const auto byte : bytes) {
    sum ^= byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (sum & 1 ? 0xEDB88320u : 0u);
  }
  return ~sum;
}

/// The checksum of the chunk that holds the byte, made right.
void mend_checksum(File& file, std::size_t place) {
  for (std::size_t at = 8; at + 12 <= file.size();) {
    const std::size_t length =
        std::size_t{file[at]} << 24 | std::size_t{file[at + 1]} << 16 | std::size_t{file[at + 2]} << 8 | file[at + 3];
    if (length > file.size() - at - 12) return;
    if (place < at + 8 + length) {
      const auto sum = chunk_sum(std::span(file).subspan(at + 4, length + 4));
      for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
      return;
    }
    at += 12 + length;
  }
}

}  // namespace

TEST_CASE("whole PNG files of every kind have the same pixels with libdeflate and without", "[image][png]") {
  for (const File& file : all_files()) check_same(file);
  auto large = make_raster<Image>({300, 200});
  for (std::size_t i = 0; i < large.pixels.size(); ++i) large.pixels[i] = static_cast<std::uint8_t>(i * i / 7);
  const auto bytes = encode_png(large);
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const File file(begin, begin + bytes.size());
  check_same(file);
  CHECK(image_detail::decode_png(file, "file").image.pixels == large.pixels);
#ifdef ATELIER_LIBDEFLATE
  CHECK(image_detail::decode_plain_png(file));
#endif
}

TEST_CASE("a PNG that is cut off anywhere is answered as libpng answers it", "[image][png][damage]") {
  for (const File& file : all_files()) {
    if (file.size() > 1000) continue;
    for (std::size_t length = 8; length < file.size(); ++length) {
      check_same(File(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length)));
    }
    File longer = file;
    longer.insert(longer.end(), {1, 2, 3, 4});
    check_same(longer);
  }
}

TEST_CASE("a PNG with any byte changed is answered as libpng answers it, with its checksum wrong and made right",
          "[image][png][damage]") {
  for (const File& file : all_files()) {
    if (file.size() > 500) continue;
    for (std::size_t place = 8; place < file.size(); ++place) {
      File changed = file;
      changed[place] = static_cast<unsigned char>(changed[place] ^ (place % 2 == 0 ? 0x55U : 0x01U));
      check_same(changed);
      mend_checksum(changed, place);
      check_same(changed);
    }
  }
}

TEST_CASE("a PNG whose pixels lie in many chunks is read, and not where other chunks part them", "[image][png]") {
  const auto files = all_files();
  const auto plain =
      std::ranges::find_if(files, [](const File& file) { return file[24] == 8 && file[25] == 2 && file[28] == 0; });
  REQUIRE(plain != files.end());
  const auto head = std::ranges::search(*plain, std::string_view("IDAT"));
  const std::size_t at = static_cast<std::size_t>(head.begin() - plain->begin()) - 4;
  const std::size_t length = std::size_t{(*plain)[at + 2]} << 8 | (*plain)[at + 3];
  const auto split = [&](bool parted) {
    File made(plain->begin(), plain->begin() + static_cast<std::ptrdiff_t>(at));
    const auto add = [&](const std::string& name, std::size_t from, std::size_t count) {
      const std::size_t start = made.size();
      made.insert(made.end(), {0, 0, static_cast<std::uint8_t>(count >> 8), static_cast<std::uint8_t>(count)});
      made.insert(made.end(), name.begin(), name.end());
      const auto data = plain->begin() + static_cast<std::ptrdiff_t>(at + 8 + from);
      made.insert(made.end(), data, data + static_cast<std::ptrdiff_t>(count));
      made.insert(made.end(), 4, 0);
      mend_checksum(made, start + 8);
    };
    for (std::size_t from = 0; from < length; from += 7) {
      add("IDAT", from, std::min<std::size_t>(7, length - from));
      if (parted && from == 7) add("teSt", 0, 3);
    }
    made.insert(made.end(), plain->begin() + static_cast<std::ptrdiff_t>(at + 12 + length), plain->end());
    return made;
  };
  CHECK(outcome(split(false), true) == outcome(*plain, false));
  check_same(split(false));
  check_same(split(true));
}
