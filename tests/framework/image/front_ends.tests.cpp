#include "framework/image/front_ends.h"

#include "framework/core/error.h"
#include "framework/image/settings.h"
#include "framework/image/train.h"
#include "tests/framework/image/references.h"

using namespace atelier;
using Catch::Matchers::Contains;

TEST_CASE("Every front end equals its reference pipeline", "[image][front_ends]") {
  for (const auto& item : references::manifest().at("front_end")) {
    CAPTURE(item.at("recipe"), item.at("file"), item.value("settings", Json::array()));
    FrontEndOptions options;
    options.image_size = item.value("image_size", 0);
    for (const auto& setting : item.value("settings", Json::array())) {
      apply_image_setting(options, setting.get<std::string>());
    }
    std::optional<Mask> mask;
    if (item.contains("mask")) mask = load_mask(references::folder() / item.at("mask").get<std::string>());
    const auto found =
        preprocess(parse_front_end(item.at("recipe").get<std::string>(), "test"),
                   references::folder() / item.at("file").get<std::string>(), options, mask ? &*mask : nullptr);
    const auto side = item.at("side").get<std::int64_t>();
    CHECK(found.shape == std::array<std::int64_t, 4>{1, 3, side, side});
    CHECK(references::difference(found.values, references::array<float>(item.at("out")),
                                 item.at("stride").get<std::size_t>()) < 1e-5);
  }
}

TEST_CASE("Training transforms equal torchvision's", "[image][train]") {
  for (const auto& item : references::manifest().at("train")) {
    const auto& given = item.at("transform");
    const auto& drawn = item.at("draws");
    CAPTURE(given, drawn);
    TrainTransform transform;
    transform.size = given.at("size").get<int>();
    transform.method = parse_resize_method(given.value("method", "pil-bilinear"), "test");
    transform.squash = given.value("squash", false);
    transform.centre_square = given.value("centre_square", false);
    transform.flip_before_crop = given.value("flip_before_crop", false);
    TrainDraws draws;
    draws.flip = drawn.value("flip", false);
    if (drawn.contains("rotate")) draws.rotate = drawn.at("rotate").get<double>();
    if (drawn.contains("crop")) {
      draws.crop_top = drawn.at("crop")[0].get<int>();
      draws.crop_left = drawn.at("crop")[1].get<int>();
    }
    const Image image = load_image(references::folder() / item.at("file").get<std::string>(), {});
    const auto found = train_pixels(image, transform, draws, 2);
    CHECK(found.shape == std::array<std::int64_t, 4>{1, 3, transform.size, transform.size});
    CHECK(references::difference(found.values, references::array<float>(item.at("out")), 5) < 1e-6);
  }
}

TEST_CASE("The rotated canvas and its pixels equal Pillow's", "[image][train]") {
  for (const auto& item : references::manifest().at("rotate")) {
    const auto source = references::picture<Image>(item.at("source"));
    const auto degrees = item.at("degrees").get<double>();
    CAPTURE(degrees);
    const auto expected = references::picture<Image>(item.at("out"));
    const Image found = rotate_expanded(source, degrees);
    REQUIRE(found.size() == expected.size());
    CHECK(found == expected);
    CHECK(rotated_size(source.size(), degrees) == expected.size());
  }
}

TEST_CASE("A drawn crop must lie inside the resized picture", "[image][train]") {
  const Image image = make_raster<Image>({30, 20});
  CHECK(train_resized_size(image.size(), {.size = 10}) == Size{15, 10});
  CHECK_NOTHROW(train_pixels(image, {.size = 10}, {.crop_top = 0, .crop_left = 5}));
  CHECK_THROWS_AS(train_pixels(image, {.size = 10}, {.crop_top = 0, .crop_left = 6}), Error);
}

TEST_CASE("The crop is told as one of the mirrored picture, whichever comes first", "[image][train]") {
  Image image = make_raster<Image>({30, 20});
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
  for (const bool flip_first : {false, true}) {
    const TrainTransform transform{.size = 10, .flip_before_crop = flip_first};
    for (const bool flip : {false, true}) {
      for (const std::optional<int> left : {std::optional<int>(1), std::optional<int>()}) {
        TrainDraws draws{.flip = flip, .crop_top = std::nullopt, .crop_left = left};
        if (left) draws.crop_top = 0;
        Image whole = resize(image, train_resized_size(image.size(), transform), transform.method);
        if (flip) whole = flip_horizontal(whole);
        CHECK(crop(whole, train_crop(image.size(), transform, draws)) == train_picture(image, transform, draws));
      }
    }
  }
  CHECK(train_crop({30, 20}, {.size = 10, .squash = true}) == Box{0, 0, 10, 10});
}

TEST_CASE("Pixels outside the mask do not reach the encoder", "[image][mask]") {
  Decoded picture{make_raster<Image>({40, 30}), {}, false, 1};
  Mask mask = make_raster<Mask>({40, 30});
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    mask.pixels[i] = i % 40 < 20 ? 128 : 127;
    picture.image.pixels[3 * i] = static_cast<std::uint8_t>(i * 7);
  }
  CHECK(foreground_share(mask, 128) == Approx(0.5));
  CHECK(foreground_share(mask, 129) == 0.0);
  const FrontEndOptions options{.image_size = 16};
  Decoded changed = picture;
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    if (mask.pixels[i] < 128) changed.image.pixels[3 * i + 1] = 200;
  }
  const auto one = preprocess(FrontEnd::clip_hf, picture, "one", options, &mask);
  CHECK(one.values == preprocess(FrontEnd::clip_hf, changed, "two", options, &mask).values);
  CHECK(one.values != preprocess(FrontEnd::clip_hf, changed, "two", options).values);
  const Mask small = make_raster<Mask>({40, 29});
  CHECK_THROWS_WITH(preprocess(FrontEnd::clip_hf, picture, "dog.png", options, &small),
                    Contains("dog.png: a mask of 40x29 pixels") && Contains("40x30"));
}

TEST_CASE("Recipes have second names, and a wrong one is answered with the nearest", "[image][front_ends]") {
  CHECK(parse_front_end("clip", "--recipe") == FrontEnd::clip_hf);
  CHECK(parse_front_end("dino_original", "--recipe") == FrontEnd::dino_orig);
  CHECK(parse_front_end("dinov2", "--recipe") == FrontEnd::dinov2_hf);
  CHECK(parse_front_end("ti_code", "--recipe") == FrontEnd::ti_tensor);
  CHECK(parse_front_end("ti_paper", "--recipe") == FrontEnd::ti_tensor);
  CHECK(front_end_id(FrontEnd::ti_tensor) == "ti-tensor");
  CHECK_THROWS_WITH(parse_front_end("clip-opnai", "--recipe"),
                    Contains("--recipe") && Contains("did you mean clip-openai?"));
}

TEST_CASE("alpha=official belongs to clip-openai alone", "[image][front_ends]") {
  FrontEndOptions options;
  apply_image_setting(options, "alpha=official");
  try {
    (void)preprocess(FrontEnd::clip_hf, references::folder() / "cutout.png", options);
    FAIL("clip-hf has no alpha=official");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK_THAT(error.what(), Contains("clip-openai"));
  }
}

TEST_CASE("Settings are read from KEY=VALUE", "[image][settings]") {
  FrontEndOptions options;
  for (const char* text : {"exif=ignore", "alpha=grey", "fill=#Ff8001", "threshold=200", "size=512",
                           "resize=t-bicubic-aa", "role=generated"}) {
    apply_image_setting(options, text);
  }
  CHECK(options.exif == ExifRule::ignore);
  CHECK(options.alpha == AlphaRule{AlphaRule::Kind::colour, {0x7b, 0x75, 0x68}});
  CHECK(options.fill == Colour{255, 128, 1});
  CHECK(options.threshold == 200);
  CHECK(options.size == 512);
  CHECK(options.resize == ResizeMethod::t_bicubic_aa);
  CHECK(options.role == TiRole::generated);
  CHECK(alpha_text(options.alpha) == "#7b7568");
}

TEST_CASE("A wrong setting is a usage error that names the key", "[image][settings]") {
  FrontEndOptions options;
  CHECK_THROWS_WITH(apply_image_setting(options, "treshold=3"),
                    Contains("--set treshold") && Contains("did you mean threshold?"));
  for (const std::string text : {"threshold", "threshold=", "threshold=256", "threshold=1.5", "threshold=12x", "size=0",
                                 "size=-3", "exif=no", "alpha=", "alpha=red", "fill=#12345", "fill=#12345g",
                                 "fill=#+12345", "resize=pil-bicubic", "role=both", "=1"}) {
    CAPTURE(text);
    try {
      apply_image_setting(options, text);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      CHECK_THAT(error.what(), Contains("--set"));
    }
  }
}
