#include "framework/image/encode.h"

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "tests/framework/image/references.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using Catch::Matchers::Contains;

TEST_CASE("A PNG comes back with the same pixels and texts", "[image][encode]") {
  TemporaryFolder folder;
  const Image image = decode_file(references::folder() / "jpeg_444.jpg").image;
  const std::vector<TextChunk> texts{{"atelier", R"({"seed": 7})"}, {"prompt", "a café on the 月"}, {"empty", ""}};
  write_png(folder / "out.png", image, texts);
  CHECK(decode_file(folder / "out.png").image == image);
  CHECK(read_png_text(folder / "out.png") == texts);
  CHECK(encode_png(image, texts) == encode_png(image, texts));
}

TEST_CASE("A grey PNG comes back as a mask", "[image][encode]") {
  TemporaryFolder folder;
  const Mask mask = load_mask(references::folder() / "portrait_mask.png");
  write_png(folder / "mask.png", mask);
  CHECK(load_mask(folder / "mask.png") == mask);
  CHECK(read_png_text(folder / "mask.png").empty());
}

TEST_CASE("Texts that PNG cannot hold are refused and nothing is written", "[image][encode]") {
  TemporaryFolder folder;
  const Image image = make_raster<Image>({2, 2});
  for (const std::string& key : {std::string(), std::string(80, 'k'), std::string(" k"), std::string("k "),
                                 std::string("a  b"), std::string("a\nb"), std::string("ключ")}) {
    const std::vector<TextChunk> texts{{key, "text"}};
    CHECK_THROWS_AS(write_png(folder / "out.png", image, texts), Error);
  }
  const std::vector<TextChunk> nul{{"key", std::string("a\0b", 3)}};
  CHECK_THROWS_AS(write_png(folder / "out.png", image, nul), Error);
  CHECK_THROWS_AS(write_png(folder / "out.png", Image{}), Error);
  CHECK_FALSE(std::filesystem::exists(folder / "out.png"));
}

TEST_CASE("Texts are read without trusting the file", "[image][encode][damage]") {
  const auto whole = encode_png(make_raster<Image>({9, 7}), std::vector<TextChunk>{{"key", "value"}, {"other", "ü"}});
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::vector<std::byte> part(whole.begin(), whole.begin() + std::ptrdiff_t(length));
    CHECK_THROWS_AS(read_png_text(part, "cut.png"), Error);
  }
  CHECK_THROWS_WITH(read_png_text(references::folder() / "photo.jpg"), Contains("photo.jpg"));
}

TEST_CASE("Texts before and after many pixel chunks are found", "[image][encode]") {
  Image noise = make_raster<Image>({1900, 1600});  // libpng writes 8 KiB at a time: over 1000 IDAT chunks
  std::uint32_t state = 3;
  for (auto& value : noise.pixels) value = static_cast<std::uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  const std::vector<TextChunk> texts{{"key", "value"}};
  auto png = encode_png(noise, texts);
  CHECK(read_png_text(png, "noise.png") == texts);
  // Signature 8, IHDR 25, then the text of 12 + 9 bytes, which moves before the 12 bytes of IEND.
  std::rotate(png.begin() + 33, png.begin() + 33 + 21, png.end() - 12);
  CHECK(read_png_text(png, "late.png") == texts);
  CHECK(decode(png, "late.png").image == noise);
}
