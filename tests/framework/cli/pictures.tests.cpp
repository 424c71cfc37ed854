#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "framework/files/safetensors.h"
#include "framework/image/encode.h"
#include "framework/image/front_ends.h"
#include "framework/image/resize.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
namespace fs = std::filesystem;

namespace {

/// 60 wide, 40 high; every pixel another colour.
Image gradient() {
  auto image = make_raster<Image>({60, 40});
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 7 % 251);
  return image;
}

struct Pictures {
  Pictures() {
    write_png(folder / "picture.png", gradient());
    auto mask = make_raster<GreyImage>({60, 40});
    for (std::size_t i = 0; i < mask.pixels.size(); ++i) mask.pixels[i] = i % 60 < 30 ? 255 : 0;  // left half
    write_png(folder / "mask.png", mask);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (folder / name).string(); }
  [[nodiscard]] Outcome preprocess(const std::string& recipe, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"probe",   "preprocess",          "--recipe", recipe,
                                      "--image", *this / "picture.png", "--out",    *this / "y"};
    words.insert(words.end(), more.begin(), more.end());
    return run_atelier(words);
  }
  [[nodiscard]] Outcome resize(std::vector<std::string> more) const {
    more.insert(more.begin(), {"probe", "resize", "--image", *this / "picture.png", "--out", *this / "y"});
    return run_atelier(more);
  }
  TemporaryFolder folder;
};

template <typename Value>
std::vector<Value> values_of(const TensorView& view) {
  std::vector<Value> values(static_cast<std::size_t>(view.numel()));
  REQUIRE(view.bytes.size() >= values.size() * sizeof(Value));
  std::memcpy(values.data(), view.bytes.data(), values.size() * sizeof(Value));
  return values;
}

}  // namespace

TEST_CASE("probe preprocess writes what the front end computes", "[cli][preprocess]") {
  const Pictures pictures;
  for (const std::string id : {"clip-openai", "dino-orig", "siglip", "inception-clean"}) {
    const Outcome outcome = pictures.preprocess(id);
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    const TensorFile file = read_safetensors(pictures / "y");
    const PixelValues expected = preprocess(parse_front_end(id, "test"), pictures / "picture.png", {});
    CHECK(file.tensors.at("pixel_values").shape ==
          std::vector<std::int64_t>(expected.shape.begin(), expected.shape.end()));
    CHECK(values_of<float>(file.tensors.at("pixel_values")) == expected.values);
  }
}

TEST_CASE("probe preprocess paints the background of a mask", "[cli][preprocess]") {
  const Pictures pictures;
  REQUIRE(
      pictures.preprocess("siglip", {"--mask", pictures / "mask.png", "--set", "fill=white", "threshold=200"}).code ==
      0);
  const auto values = values_of<float>(read_safetensors(pictures / "y").tensors.at("pixel_values"));
  CHECK(values[223] == 1.0f);  // top right: background, (255/255 - 0.5) / 0.5
  CHECK(values[0] != 1.0f);
}

TEST_CASE("probe preprocess refuses unknown recipes and settings, and writes nothing", "[cli][preprocess]") {
  const Pictures pictures;
  const auto refused = [&](const Outcome& outcome, int code, const std::string& part) {
    CHECK(outcome.code == code);
    CHECK_THAT(outcome.err, Catch::Contains(part));
    CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
    CHECK_FALSE(fs::exists(pictures / "y"));
  };
  refused(pictures.preprocess("train:textregs"), 2, "textregs");
  refused(pictures.preprocess("clip-hf", {"--seed", "3"}), 2, "train:METHOD");
  refused(pictures.preprocess("clip-opnai"), 2, "clip-openai");
  refused(pictures.preprocess("clip-hf", {"--set", "fil=white"}), 2, "fill");
  refused(pictures.preprocess("clip-hf", {"--set", "fill=white", "--set", "fill=black"}), 2, "'fill' twice");
  refused(pictures.preprocess("clip-hf", {"--mask", pictures / "none.png"}), 2, "does not exist");
  std::ofstream(pictures / "picture.png") << "no picture";
  refused(pictures.preprocess("clip-hf"), 1, "picture.png");
}

TEST_CASE("probe resize without a size only decodes", "[cli][resize]") {
  const Pictures pictures;
  REQUIRE(pictures.resize({}).code == 0);
  const TensorFile file = read_safetensors(pictures / "y");
  CHECK(file.tensors.at("image").dtype == Dtype::u8);
  CHECK(file.tensors.at("image").shape == std::vector<std::int64_t>{40, 60, 3});
  CHECK(values_of<std::uint8_t>(file.tensors.at("image")) == gradient().pixels);
}

TEST_CASE("probe resize takes width before height, and writes the method's type", "[cli][resize]") {
  const Pictures pictures;
  REQUIRE(pictures.resize({"--size", "21x33", "--method", "pil-lanczos"}).code == 0);
  const TensorFile eight_bit = read_safetensors(pictures / "y");
  CHECK(eight_bit.tensors.at("image").shape == std::vector<std::int64_t>{33, 21, 3});
  CHECK(values_of<std::uint8_t>(eight_bit.tensors.at("image")) ==
        resize(gradient(), {21, 33}, ResizeMethod::pil_lanczos).pixels);
  REQUIRE(pictures.resize({"--size", "21x33", "--method", "t-bicubic"}).code == 0);
  const TensorFile real = read_safetensors(pictures / "y");
  CHECK(real.tensors.at("image").dtype == Dtype::f32);
  CHECK(values_of<float>(real.tensors.at("image")) ==
        resize(to_float(gradient()), {21, 33}, ResizeMethod::t_bicubic).pixels);
}

TEST_CASE("probe resize refuses settings that say nothing about decoding", "[cli][resize]") {
  const Pictures pictures;
  const Outcome outcome = pictures.resize({"--set", "threshold=3"});
  CHECK(outcome.code == 2);
  CHECK_THAT(outcome.err, Catch::Contains("--set threshold") && Catch::Contains("exif, alpha"));
  CHECK(pictures.resize({"--method", "pil-bicubi"}).code == 2);
}
