#include "framework/image/decode.h"

#include <chrono>

#include "framework/core/error.h"
#include "framework/image/exif.h"
#include "tests/framework/image/references.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

std::vector<std::uint8_t> tiff(std::initializer_list<int> values) {
  std::vector<std::uint8_t> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::uint8_t>(value));
  return bytes;
}

void put_u32(std::vector<std::byte>& bytes, std::size_t offset, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[offset + std::size_t(i)] = std::byte(value >> (24 - 8 * i));
}

std::uint32_t crc32(const std::byte* data, std::size_t size) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= std::to_integer<std::uint32_t>(data[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

/// The PNG with another size in its header and a right checksum.
std::vector<std::byte> with_size(std::vector<std::byte> png, std::uint32_t width, std::uint32_t height) {
  put_u32(png, 16, width);
  put_u32(png, 20, height);
  put_u32(png, 29, crc32(png.data() + 12, 17));
  return png;
}

}  // namespace

TEST_CASE("Every file decodes to the pixels that Pillow sees", "[image][decode]") {
  for (const auto& item : references::manifest().at("decode")) {
    const auto file = item.at("file").get<std::string>();
    CAPTURE(file);
    const Decoded decoded = decode_file(references::folder() / file);
    const auto expected = references::picture<Image>(item.at("rgb"));
    REQUIRE(decoded.image.size() == expected.size());
    CHECK(references::level_difference(decoded.image.pixels, expected.pixels) == 0);
    CHECK(decoded.alpha.pixels.empty() == !item.contains("alpha"));
    if (item.contains("alpha")) {
      CHECK(decoded.alpha.size() == expected.size());
      CHECK(references::level_difference(decoded.alpha.pixels, references::array<std::uint8_t>(item.at("alpha"))) == 0);
    }
    CHECK(decoded.orientation == item.value("orientation", 1));
  }
}

TEST_CASE("exif=ignore gives the picture as it is stored", "[image][decode][exif]") {
  int seen = 0;
  for (const auto& item : references::manifest().at("decode")) {
    if (!item.contains("stored")) continue;
    const Decoded decoded = decode_file(references::folder() / item.at("file").get<std::string>(), ExifRule::ignore);
    CHECK(decoded.image == references::picture<Image>(item.at("stored")));
    ++seen;
  }
  CHECK(seen == 8);
}

TEST_CASE("A file cut at any length is an error and never a picture", "[image][decode][damage]") {
  for (const std::string name :
       {"jpeg_420.jpg", "jpeg_progressive.jpg", "jpeg_cmyk.jpg", "exif_6.jpg", "png_grey16.png",
        "png_palette4_trns.png", "png_type6_8_interlaced.png", "png_exif_late.png", "webp_lossy.webp",
        "webp_lossless.webp", "webp_lossy_alpha.webp"}) {
    const auto whole = references::bytes(name);
    REQUIRE_NOTHROW(decode(whole, name));
    for (std::size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(name, length);
      // A copy of the exact size, so that a sanitizer sees a read past the end.
      const std::vector<std::byte> part(whole.begin(), whole.begin() + std::ptrdiff_t(length));
      CHECK_THROWS_AS(decode(part, name), Error);
    }
  }
}

TEST_CASE("Half a JPEG is named as such, with its file", "[image][decode][damage]") {
  auto half = references::bytes("photo.jpg");
  half.resize(half.size() / 2);
  CHECK_THROWS_WITH(decode(half, "dog/00.jpg"), Contains("dog/00.jpg: damaged JPEG") && Contains("remature end"));
}

TEST_CASE("Flipped bytes give an error or a picture, never a crash", "[image][decode][damage]") {
  for (const std::string name :
       {"jpeg_progressive.jpg", "exif_5.jpg", "png_palette8_trns.png", "png_type6_16_interlaced.png", "png_exif.png",
        "webp_exif.webp", "webp_lossless_alpha.webp"}) {
    const auto whole = references::bytes(name);
    std::uint32_t state = 1;
    for (std::size_t offset = 0; offset < whole.size(); ++offset) {
      state = state * 1664525u + 1013904223u;
      auto broken = whole;
      broken[offset] ^= std::byte(state >> 24 | 1u);
      CAPTURE(name, offset);
      try {
        const Decoded decoded = decode(broken, name);
        CHECK(decoded.image.pixels.size() == decoded.image.stride() * std::size_t(decoded.image.height));
      } catch (const Error& error) {
        CHECK_THAT(error.what(), Contains(name));
      }
    }
  }
}

TEST_CASE("A picture larger than the limit is refused before it gets memory", "[image][decode][damage]") {
  const auto png = references::bytes("png_type2_8.png");
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_WITH(decode(with_size(png, 30000, 30000), "bomb.png"), Contains("30000x30000") && Contains("178956970"));
  CHECK_THROWS_WITH(decode(with_size(png, 0x7fffffff, 1), "wide.png"), Contains("wide.png"));
  CHECK_THROWS_AS(decode(with_size(png, 0xffffffff, 0xffffffff), "huge.png"), Error);
  CHECK_THROWS_AS(decode(with_size(png, 0, 5), "empty.png"), Error);
  // Below the limit, but a file of a few hundred bytes cannot hold it.
  CHECK_THROWS_WITH(decode(with_size(png, 10000, 10000), "short.png"), Contains("cannot hold"));
  auto jpeg = references::bytes("jpeg_420.jpg");
  for (std::size_t i = 0; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] != std::byte{0xff} || jpeg[i + 1] != std::byte{0xc0}) continue;
    jpeg[i + 5] = jpeg[i + 7] = std::byte{0x27};
    break;
  }
  CHECK_THROWS_WITH(decode(jpeg, "short.jpg"), Contains("cannot hold"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}

TEST_CASE("Other files are refused by content, whatever their name", "[image][decode]") {
  TemporaryFolder folder;
  std::filesystem::copy_file(references::folder() / "jpeg_444.jpg", folder / "really_a_jpeg.png");
  CHECK(decode_file(folder / "really_a_jpeg.png").image.size() == Size{37, 29});
  CHECK_THROWS_WITH(decode_file(references::folder() / "manifest.json"), Contains("not a picture in a known format"));
  CHECK_THROWS_WITH(decode({}, "nothing"), Contains("an empty file"));
  CHECK_THROWS_WITH(decode_file(folder / "absent.png"), Contains("absent.png"));
  CHECK_THROWS_WITH(decode_file(references::folder() / "webp_animated.webp"), Contains("an animated WebP"));
}

TEST_CASE("The EXIF parser reads both byte orders and the widths of integers", "[image][exif]") {
  CHECK(exif_orientation(tiff({'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0})) == 6);
  CHECK(exif_orientation(tiff({'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0})) == 8);
  CHECK(exif_orientation(tiff({'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 4, 0, 1, 0, 0, 0, 3, 0, 0, 0})) == 3);
}

TEST_CASE("A damaged EXIF block counts as upright", "[image][exif][damage]") {
  const auto good =
      tiff({'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6});
  CHECK(exif_orientation(good) == 6);
  for (std::size_t length = 0; length < good.size(); ++length) {
    const std::vector<std::uint8_t> part(good.begin(), good.begin() + std::ptrdiff_t(length));
    CHECK(exif_orientation(part) == 1);
  }
  // A directory that lies on the header, one that claims 65535 entries, one far outside, a value of 9.
  CHECK(exif_orientation(tiff({'M', 'M', 0, 42, 0, 0, 0, 0, 0, 1, 1, 0x12})) == 1);
  CHECK(exif_orientation(tiff({'M', 'M', 0, 42, 0, 0, 0, 8, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) == 1);
  CHECK(exif_orientation(tiff({'M', 'M', 0, 42, 255, 255, 255, 255, 0, 1})) == 1);
  CHECK(exif_orientation(tiff({'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 9, 0, 0})) == 1);
}

TEST_CASE("Transparency is refused, dropped or composited as asked", "[image][alpha]") {
  const auto path = references::folder() / "cutout.png";
  const Decoded decoded = decode_file(path);
  CHECK_THROWS_WITH(load_image(path, {}), Contains("a picture with transparency") && Contains("alpha=drop"));
  CHECK(load_image(path, {.alpha = {AlphaRule::Kind::drop, {}}}) == decoded.image);
  const Image white = load_image(path, {.alpha = {AlphaRule::Kind::colour, {255, 255, 255}}});
  CHECK(decoded.alpha.pixels[0] == 0);
  CHECK(white.pixels[0] == 255);
  try {
    (void)load_image(path, {.alpha = {AlphaRule::Kind::official, {}}});
    FAIL("official is not for everybody");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
  }
}

TEST_CASE("A mask is grey and opaque", "[image][mask]") {
  CHECK(load_mask(references::folder() / "portrait_mask.png").size() == Size{61, 103});
  CHECK_THROWS_WITH(load_mask(references::folder() / "png_type2_8.png"), Contains("a colour picture"));
  CHECK_THROWS_WITH(load_mask(references::folder() / "cutout.png"), Contains("transparency"));
}
