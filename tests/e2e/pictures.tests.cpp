// Files that are no whole picture, given to `probe preprocess`.
#include <catch2/catch.hpp>

#include "tests/e2e/refusal.h"

namespace {

namespace fs = std::filesystem;

void check_picture(const std::string& name, const std::string& bytes, std::vector<std::string> mentions) {
  const Workplace place;
  const fs::path image = place.write(name, bytes);
  mentions.push_back(image.string());
  place.check_refused(
      1, {"probe", "preprocess", "--recipe", "clip-hf", "--image", image, "--out", place.output("pixels.safetensors")},
      mentions);
}

/// Signature, IHDR and the beginning of IDAT of a 30,000 x 30,000 RGB picture. The checksum of IHDR was computed with
/// Python's zlib.crc32 over b"IHDR" + struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0).
std::string huge_png() {
  constexpr char kBytes[] =
      "\x89PNG\r\n\x1a\n"
      "\0\0\0\x0dIHDR\0\0\x75\x30\0\0\x75\x30\x08\x02\0\0\0"
      "\xe9\x45\x6f\xed"
      "\0\0\0\x10IDAT\x78\x9c";
  return {kBytes, sizeof(kBytes) - 1};
}

}  // namespace

TEST_CASE("Half a JPEG is refused", "[e2e][pictures]") {
  const std::string photo = read_bytes(ATELIER_SOURCE_DIR "/tests/framework/image/data/photo.jpg");
  check_picture("half.jpg", photo.substr(0, photo.size() / 2),
                {"damaged JPEG", "expected a whole JPEG file", "copy or export the picture again"});
}

TEST_CASE("A PNG that announces 900 million pixels is refused by its header", "[e2e][pictures]") {
  check_picture("huge.png", huge_png(), {"30000x30000", "expected 1 to 178956970 pixels", "scale the picture down"});
}

TEST_CASE("A text named .png is no picture", "[e2e][pictures]") {
  check_picture("text.png", "this is no picture\n", {"not a picture in a known format", "expected JPEG, PNG or WebP"});
}

TEST_CASE("An empty picture is called empty", "[e2e][pictures]") {
  check_picture("empty.png", "", {"an empty file", "expected JPEG, PNG or WebP"});
}

TEST_CASE("A folder given as a picture is called a folder", "[e2e][pictures]") {
  const Workplace place;
  place.check_refused(2,
                      {"probe", "preprocess", "--recipe", "clip-hf", "--image", place.input(""), "--out",
                       place.output("pixels.safetensors")},
                      {"--image", "is a folder; expected a file"});
}
