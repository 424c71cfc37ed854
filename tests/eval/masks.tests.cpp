// Masks: the segmenter against transformers (make_mask_references.py), and what masks do to scores (evaluation.md 11,
// 6).
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include "tests/support/catch_torch.h"

#include "eval/segmenter.h"
#include "framework/core/error.h"
#include "framework/image/decode.h"
#include "framework/image/encode.h"
#include "framework/tensor/placement.h"
#include "tests/eval/scene.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::eval;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = ATELIER_SOURCE_DIR;
const fs::path kSegmenter = kSource / "experiments/pocket/base/segmenter";
const fs::path kMasks = kSource / "tests/eval/references/masks";

/// The greatest difference in grey levels; 256 for masks of other sizes.
int difference(const Mask& a, const Mask& b) {
  if (a.size() != b.size()) return 256;
  int most = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) most = std::max(most, std::abs(a.pixels[i] - b.pixels[i]));
  return most;
}

void check_masks(const fs::path& folder, const std::string& variant) {
  Segmenter segmenter({.folder = folder, .tokenizer = {}, .variant = {}}, {});
  for (const auto& [name, file] : {std::pair("drawn", "experiments/pocket/concepts/star_cat/02.png"),
                                   std::pair("wide", "tests/eval/pictures/references/cat2/00.png"),
                                   std::pair("photo", "experiments/demo/concepts/cat/00.jpg")}) {
    INFO(variant << " " << name);
    const Mask made =
        segmenter.find(load_image(kSource / file, {.alpha = {AlphaRule::Kind::drop}}), "a photo of a cat");
    CHECK(difference(made, load_mask(kMasks / (variant + "_" + name + ".png"))) <= 1);
  }
}

Protocol masked_protocol() {
  return Protocol::from_json(
      {{"id", "masked"},
       {"text_rule", "class"},
       {"batch", 4},
       {"masked", true},
       {"encoders", {{"clip", {{"front_end", "clip-hf"}, {"scores", {"image", "image_full", "text"}}}}}}},
      "test");
}

/// PNGs that pictures borrow.
using Files = std::vector<std::vector<std::byte>>;

/// A mask for every picture of the scene: `inside` says what is foreground.
void mask_all(Scene& scene, Files& files, const auto& inside) {
  files.reserve(1000);  // what is borrowed may not move
  const auto mask = [&](Picture& picture) {
    const auto decoded = decode(picture.bytes, picture.name);
    Mask made = make_raster<Mask>(decoded.image.size());
    for (int y = 0; y < made.height; ++y) {
      for (int x = 0; x < made.width; ++x) made.row(y)[x] = inside(made, x, y) ? 255 : 0;
    }
    files.push_back(encode_png(made));
    picture.mask = NamedBytes{"mask", files.back()};
  };
  std::ranges::for_each(scene.references, mask);
  for (auto& set : scene.sets) std::ranges::for_each(set.pictures, mask);
}

bool in_the_middle(const Mask& mask, int x, int y) {
  return x >= mask.width / 4 && x < 3 * mask.width / 4 && y >= mask.height / 4 && y < 3 * mask.height / 4;
}

/// Other colours wherever the mask is background.
void repaint_backgrounds(Scene& scene, Files& files) {
  const auto repaint = [&](Picture& picture) {
    auto image = flatten(decode(picture.bytes, picture.name), {.kind = AlphaRule::Kind::drop}, picture.name);
    const Mask mask = to_mask(decode(picture.mask->bytes, "mask"), "mask");
    for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
      if (mask.pixels[i] < 128)
        std::fill_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, std::uint8_t{77});
    }
    files.push_back(encode_png(image));
    picture.bytes = files.back();
  };
  std::ranges::for_each(scene.references, repaint);
  for (auto& set : scene.sets) std::ranges::for_each(set.pictures, repaint);
}

}  // namespace

TEST_CASE("The segmenter masks pictures as transformers' CLIPSeg does, within one grey level", "[eval][masks]") {
  check_masks(kSegmenter, "own");
}

TEST_CASE("A segmenter's preprocessor_config decides side, filter and constants, as the published one has them",
          "[eval][masks]") {
  const TemporaryFolder folder;
  for (const char* name : {"config.json", "model.safetensors", "vocab.json", "merges.txt", "tokenizer_config.json",
                           "special_tokens_map.json"}) {
    fs::create_symlink(kSegmenter / name, folder / name);
  }
  fs::copy_file(kMasks / "published/preprocessor_config.json", folder / "preprocessor_config.json");
  check_masks(folder.path(), "published");
}

TEST_CASE("A folder that is no segmenter, and a front end that is none, are refused by name", "[eval][masks]") {
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(message([] {
               Segmenter({.folder = kSource / "tests/eval/models/clip_tiny", .tokenizer = {}, .variant = {}}, {});
             }),
             Catch::Contains("the model type \"clip\"; expected clipseg"));
  const Json good{{"size", 64}, {"resample", 3}, {"image_mean", {0, 0, 0}}, {"image_std", {1, 1, 1}}};
  CHECK(SegmenterFrontEnd::from_json(good, "x").side == 64);
  const std::vector<std::pair<Json, std::string>> faulty{{{{"size", {{"height", 64}, {"width", 32}}}}, "size"},
                                                         {{{"resample", 1}}, "resample"},
                                                         {{{"image_mean", {1, 2}}}, "image_mean"}};
  for (const auto& [change, key] : faulty) {
    Json json = good;
    json.update(change);
    CHECK_THAT(message([&] { static_cast<void>(SegmenterFrontEnd::from_json(json, "x")); }),
               Catch::Contains("x: " + key));
  }
}

TEST_CASE("A mask that is all foreground gives the scores of the whole picture", "[eval][masks]") {
  Scene scene("cat2");
  Files files;
  mask_all(scene, files, [](const Mask&, int, int) { return true; });
  const Scores scores = scene.score(masked_protocol());
  for (const auto& set : scores.sets) {
    for (const auto& image : set.images) {
      CHECK(image.pairs.at("clip") == image.pairs.at("clip_full"));
      CHECK(image.foreground == 1.0);
    }
  }
}

TEST_CASE("What lies outside the mask does not change the masked score, and changes the full one", "[eval][masks]") {
  Scene scene("cat2");
  Files files;
  mask_all(scene, files, in_the_middle);
  const Scores before = scene.score(masked_protocol());
  repaint_backgrounds(scene, files);
  const Scores after = scene.score(masked_protocol());
  for (std::size_t i = 0; i < before.sets.size(); ++i) {
    for (std::size_t k = 0; k < before.sets[i].images.size(); ++k) {
      const auto &one = before.sets[i].images[k], &other = after.sets[i].images[k];
      CHECK(one.pairs.at("clip") == other.pairs.at("clip"));
      CHECK(one.pairs.at("clip_full") != other.pairs.at("clip_full"));
      CHECK(one.pairs.at("clip") != one.pairs.at("clip_full"));
    }
  }
}

TEST_CASE("A picture without foreground is a row with a status: its masked scores are null, the others stay",
          "[eval][masks]") {
  Scene scene("cat2");
  Files files;
  mask_all(scene, files, in_the_middle);
  Picture& empty = scene.sets.front().pictures.front();
  const auto size = decode(empty.bytes, empty.name).image.size();
  files.push_back(encode_png(make_raster<Mask>(size)));
  empty.mask = NamedBytes{"nothing", files.back()};
  const Scores scores = scene.score(masked_protocol());
  const auto& image = scores.sets.front().images.front();
  CHECK(image.status == "no_foreground");
  CHECK(image.foreground == 0.0);
  CHECK_FALSE(image.pairs.contains("clip"));
  CHECK(image.pairs.contains("clip_full"));
  CHECK(image.texts.contains("clip"));
}
