// `atelier probe preprocess --recipe train:METHOD` against Pillow and torchvision (make_picture_references.py).
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/files/safetensors.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kFolder = references_folder() / "pictures";

std::vector<float> pixels_in(const fs::path& path) {
  const auto view = atelier::read_safetensors(path).tensors.at("pixel_values");
  CHECK(view.shape == std::vector<std::int64_t>{1, 3, 24, 24});
  std::vector<float> values(static_cast<std::size_t>(view.numel()));
  std::memcpy(values.data(), view.bytes.data(), values.size() * sizeof(float));
  return values;
}

std::vector<std::string> command(const std::string& method, const fs::path& out, std::vector<std::string> more) {
  std::vector<std::string> words{"probe",  "preprocess", "--recipe", "train:" + method,
                                 "--size", "24",         "--image",  kFolder / "photo.png",
                                 "--out",  out};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

TEST_CASE("a training picture of every kind of recipe is Pillow's", "[parity][pictures]") {
  const TemporaryFolder folder;
  for (const std::string method :
       {"attndreambooth", "dreambooth", "textual_inversion", "textreg", "custom_diffusion"}) {
    CAPTURE(method);
    const auto done =
        run_atelier(command(method, folder / "out.safetensors", {"--draws", kFolder / (method + ".draws.json")}));
    INFO(done.err);
    REQUIRE(done.status == 0);
    const auto expected = pixels_in(kFolder / (method + ".safetensors")), found = pixels_in(folder / "out.safetensors");
    double error = 0.0;
    for (std::size_t i = 0; i < expected.size(); ++i) error = std::max(error, std::abs(double(found[i]) - expected[i]));
    CHECK(error < 1e-6);  // all steps before the last are in 8 bits, and equal
  }
}

TEST_CASE("draws that a seed made give the same picture again", "[parity][pictures]") {
  const TemporaryFolder folder;
  const std::string drawn = folder / "draws.json";
  std::vector<std::vector<float>> pictures;
  for (const char* seed : {"3", "4"}) {
    const auto first =
        run_atelier(command("attndreambooth", folder / "first.safetensors", {"--seed", seed, "--draws-out", drawn}));
    INFO(first.err);
    REQUIRE(first.status == 0);
    const auto again = run_atelier(command("attndreambooth", folder / "again.safetensors", {"--draws", drawn}));
    REQUIRE(again.status == 0);
    pictures.push_back(pixels_in(folder / "first.safetensors"));
    CHECK(pixels_in(folder / "again.safetensors") == pictures.back());
  }
  CHECK(pictures[0] != pictures[1]);
  const auto draws = json::parse(std::ifstream(drawn));
  CHECK(draws.size() == 3);
  for (const char* key : {"rotate", "flip", "crop"}) CHECK(draws.contains(key));
}

TEST_CASE("draws that a recipe does not have are refused, and nothing is written", "[parity][pictures]") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const std::string& part) {
    const std::string file = folder / "draws.json", out = folder / "out.safetensors";
    std::ofstream(file) << text;
    const auto done = run_atelier(command("dreambooth", out, {"--draws", file}));
    CHECK(done.status != 0);
    CHECK_THAT(done.err, Catch::Contains(part));
    CHECK_FALSE(fs::exists(out));
  };
  refused(R"({"rotate": 10})", "\"rotate\"");
  refused(R"({"crop": [0, -1]})", "integers from 0");
  refused(R"({"crop": 3})", "[top, left]");
  refused(R"({"crop": [0, 9000]})", "crop");
  refused(R"([1])", "an object of draws");
  const auto masked = run_atelier(command("dreambooth", folder / "y", {"--mask", kFolder / "photo.png"}));
  CHECK(masked.status == 2);
}
