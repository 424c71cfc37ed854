#include "framework/worker/image_set.h"

#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

namespace {

using namespace atelier;
using namespace atelier::worker;

Image picture(std::uint8_t level) {
  Image image = make_raster<Image>({4, 3});
  std::ranges::fill(image.pixels, level);
  return image;
}

}  // namespace

TEST_CASE("Images come back from a set in order, as they were", "[worker][images]") {
  const TemporaryFolder folder;
  std::vector<std::vector<std::byte>> images;
  for (int i = 0; i < 12; ++i) images.push_back(image_bytes(picture(static_cast<std::uint8_t>(i)), {{"seed", i}}));
  write_image_set(folder / "set", images);
  const auto set = ImageSet::open(folder / "set");
  REQUIRE(set.entries().size() == images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    CHECK(std::ranges::equal(set.entries()[i].bytes, images[i]));
    CHECK(decode(set.entries()[i].bytes, "image").image.pixels.front() == i);
  }
  CHECK(set.entries().front().name == "000.png");
}

TEST_CASE("Equal images make equal sets, whenever and wherever they are written", "[worker][images]") {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::byte>> images{image_bytes(picture(9), {{"seed", 1}})};
  write_image_set(folder / "a", images);
  ::setenv("TZ", "Pacific/Auckland", 1);
  ::tzset();
  write_image_set(folder / "b", images);
  ::unsetenv("TZ");
  ::tzset();
  CHECK(sha256_file(folder / "a") == sha256_file(folder / "b"));
}

TEST_CASE("A set that cannot be written or read is an error", "[worker][images]") {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::byte>> images{image_bytes(picture(9), {})};
  CHECK_THROWS_AS(write_image_set(folder / "none/set", images), Error);
  CHECK_THROWS_AS(ImageSet::open(folder / "none"), Error);
}
