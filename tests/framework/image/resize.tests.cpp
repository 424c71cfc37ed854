#include "framework/image/resize.h"

#include "framework/core/error.h"
#include "framework/image/geometry.h"
#include "tests/framework/image/references.h"

using namespace atelier;
using Catch::Matchers::Contains;

namespace {

template <typename Value>
Raster<Value, 3> line(const std::vector<int>& values) {
  Raster<Value, 3> out{static_cast<int>(values.size()), 1, {}};
  for (const int value : values) out.pixels.insert(out.pixels.end(), 3, static_cast<Value>(value));
  return out;
}

template <typename Picture>
std::vector<double> first_channel(const Picture& picture) {
  std::vector<double> out;
  for (std::size_t i = 0; i < picture.pixels.size(); i += 3) out.push_back(static_cast<double>(picture.pixels[i]));
  return out;
}

const std::vector<int> kBumps{0, 10, 50, 255, 255, 80, 20, 0};

void check_near(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(5.1e-5));
}

}  // namespace

// evaluation.md section 11, item 1.
TEST_CASE("The resizers give the acceptance values of a line of eight", "[image][resize]") {
  const Size three{3, 1};
  check_near(first_channel(resize(line<float>(kBumps), three, ResizeMethod::pilf_bicubic)),
             {24.8188, 195.6472, 37.3199});
  check_near(first_channel(resize(line<float>(kBumps), three, ResizeMethod::t_bicubic_aa)),
             {24.8188, 195.6472, 37.3199});
  check_near(first_channel(resize(line<float>(kBumps), three, ResizeMethod::t_bicubic)), {5.0926, 290.6250, 11.9213});
  check_near(first_channel(resize(line<std::uint8_t>(kBumps), three, ResizeMethod::pil_bicubic)), {25, 196, 37});
  check_near(first_channel(resize(line<std::uint8_t>(kBumps), three, ResizeMethod::pil_bilinear)), {36, 180, 47});
  const auto step = line<float>({0, 0, 0, 0, 1, 1, 1, 1});
  check_near(first_channel(resize(step, {7, 1}, ResizeMethod::t_bicubic)), {0, 0, -0.0615, 0.5, 1.0615, 1, 1});
}

TEST_CASE("Every 8-bit resizer equals Pillow bit for bit", "[image][resize]") {
  int seen = 0;
  for (const auto& item : references::manifest().at("resize")) {
    const auto method = parse_resize_method(item.at("method").get<std::string>(), "test");
    if (!is_eight_bit(method)) continue;
    CAPTURE(item.at("method"), item.at("size"));
    const Size size{item.at("size")[0].get<int>(), item.at("size")[1].get<int>()};
    const auto expected = references::array<std::uint8_t>(item.at("out"));
    const int threads = 1 + seen++ % 3;
    if (item.at("source").at("shape")[2] == 1) {
      const auto source = references::picture<GreyImage>(item.at("source"));
      CHECK(references::level_difference(resize(source, size, method, threads).pixels, expected) == 0);
    } else {
      const auto source = references::picture<Image>(item.at("source"));
      CHECK(references::level_difference(resize(source, size, method, threads).pixels, expected) == 0);
    }
  }
  CHECK(seen == 30);
}

TEST_CASE("Every float resizer equals its reference to float rounding", "[image][resize]") {
  int seen = 0;
  for (const auto& item : references::manifest().at("resize")) {
    const auto method = parse_resize_method(item.at("method").get<std::string>(), "test");
    if (is_eight_bit(method)) continue;
    CAPTURE(item.at("method"), item.at("size"));
    const Size size{item.at("size")[0].get<int>(), item.at("size")[1].get<int>()};
    const auto source = to_float(references::picture<Image>(item.at("source")));
    const FloatImage found = resize(source, size, method, 1 + seen++ % 3);
    CHECK(references::difference(found.pixels, references::array<float>(item.at("out"))) < 1e-5);
  }
  CHECK(seen == 15);
}

TEST_CASE("The number of threads changes no pixel", "[image][resize]") {
  Image image = make_raster<Image>({203, 157});
  std::uint32_t state = 7;
  for (auto& value : image.pixels) value = static_cast<std::uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  const FloatImage floats = to_float(image);
  for (const int threads : {2, 3, 8, 64}) {
    CHECK(resize(image, {61, 90}, ResizeMethod::pil_lanczos) ==
          resize(image, {61, 90}, ResizeMethod::pil_lanczos, threads));
    for (const auto method : {ResizeMethod::pilf_bicubic, ResizeMethod::t_bicubic, ResizeMethod::t_bicubic_aa}) {
      CHECK(resize(floats, {250, 90}, method) == resize(floats, {250, 90}, method, threads));
    }
  }
}

TEST_CASE("A size that stays returns the picture", "[image][resize]") {
  const auto image = line<std::uint8_t>(kBumps);
  CHECK(resize(image, image.size(), ResizeMethod::pil_bicubic) == image);
  CHECK(resize(to_float(image), image.size(), ResizeMethod::t_bicubic_aa) == to_float(image));
}

TEST_CASE("Sizes and methods that make no sense are refused", "[image][resize]") {
  const auto image = line<std::uint8_t>(kBumps);
  CHECK_THROWS_AS(resize(image, {0, 5}, ResizeMethod::pil_bicubic), Error);
  CHECK_THROWS_AS(resize(image, {5, -1}, ResizeMethod::pil_bicubic), Error);
  CHECK_THROWS_AS(resize(image, {20000, 20000}, ResizeMethod::pil_bicubic), Error);
  CHECK_THROWS_AS(resize(image, {5, 5}, ResizeMethod::t_bicubic), Error);
  CHECK_THROWS_AS(resize(to_float(image), {5, 5}, ResizeMethod::pil_bicubic), Error);
  CHECK_THROWS_WITH(parse_resize_method("pil-bicubik", "--method"),
                    Contains("--method") && Contains("did you mean pil-bicubic?"));
}

// evaluation.md section 11, item 2.
TEST_CASE("Crop offsets round half to even in torchvision and down in transformers", "[image][crop]") {
  CHECK(crop_offset(227, 224, CropRule::tv) == 2);
  CHECK(crop_offset(227, 224, CropRule::hf) == 1);
  CHECK(crop_offset(225, 224, CropRule::tv) == 0);
  CHECK(crop_offset(225, 224, CropRule::hf) == 0);
  CHECK(crop_offset(256, 224, CropRule::tv) == 16);
  CHECK(crop_offset(256, 224, CropRule::hf) == 16);
  CHECK(crop_offset(229, 224, CropRule::tv) == 2);
  CHECK_THROWS_AS(centre_box({223, 300}, {224, 224}, CropRule::tv), Error);
}

// evaluation.md section 11, item 3.
TEST_CASE("The shorter edge becomes the target and the longer is truncated", "[image][crop]") {
  CHECK(shortest_edge({640, 427}, 224) == Size{335, 224});
  CHECK(shortest_edge({427, 640}, 224) == Size{224, 335});
  CHECK(shortest_edge({224, 224}, 224) == Size{224, 224});
  CHECK_THROWS_AS(shortest_edge({0, 5}, 224), Error);
  CHECK_THROWS_AS(shortest_edge({1, 1000000}, 224), Error);
}

TEST_CASE("A box outside the picture is refused", "[image][crop]") {
  const Image image = make_raster<Image>({4, 3});
  CHECK(crop(image, {1, 1, 3, 2}).size() == Size{3, 2});
  for (const Box& box : {Box{-1, 0, 2, 2}, Box{0, 0, 5, 1}, Box{3, 0, 2, 1}, Box{0, 2, 1, 2}, Box{0, 0, 0, 1}}) {
    CHECK_THROWS_AS(crop(image, box), Error);
  }
}

TEST_CASE("Orientations 6 and 8, and 5 and 7 with a half turn, undo each other", "[image][exif]") {
  const auto image = references::picture<Image>(references::manifest().at("resize")[0].at("source"));
  CHECK(orient(orient(image, 6), 8) == image);
  CHECK(orient(orient(image, 5), 5) == image);
  CHECK(orient(orient(orient(image, 7), 3), 5) == image);
  CHECK(flip_horizontal(flip_horizontal(image)) == image);
}
